"""Exports of runs with any class names: the names are text, executed nowhere."""

import csv
import io
from html.parser import HTMLParser

import pytest
from pypdf import PdfReader

from cxrcore.reports import artifacts, html_report, model_card, prediction_grid
from cxrcore.reports.run_summary import RunSummary
from tests.synthetic_runs import NASTY, names


class _Page(HTMLParser):
    """The scripts of a page, the text outside of them, and the names of all elements."""

    def __init__(self, html):
        super().__init__()
        self.scripts, self.texts, self.elements = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.scripts += [""] if tag == "script" else []

    def handle_data(self, data):
        if self.elements[-1:] == ["script"] and self.cdata_elem == "script":
            self.scripts[-1] += data
        else:
            self.texts.append(data)


@pytest.mark.parametrize("count", [2, 10, 50])
def test_report_shows_names_as_text_and_runs_no_script_of_theirs(made, monkeypatch, count):
    monkeypatch.setattr(html_report, "get_plotlyjs", lambda: "PLOTLY")
    page = _Page(html_report.render(RunSummary(made[count])))
    assert len(page.scripts) == 2 and page.scripts[0] == "PLOTLY"  # Plotly and the figures, as for any names
    assert "alert(1)</" not in page.scripts[1]
    text = " ".join(page.texts)
    assert all(name in text for name in made[count].classes)


def test_report_of_two_classes_has_one_row_and_one_curve(made, monkeypatch):
    figures = html_report.probability_curves.all_of
    drawn = []
    monkeypatch.setattr(
        html_report.probability_curves, "all_of", lambda *given: drawn.append(figures(*given)) or drawn[0]
    )
    html = html_report.render(RunSummary(made[2]))
    table = html.split("Metrics of the positive class")[1].split("Overall metrics")[0]
    assert table.count("<tr>") == 2 and "80.0% (49.0% to 94.3%)" in table and "NORMAL" not in table
    assert [len(drawn[0][name].data) for name in ("roc", "precision_recall")] == [2, 1]  # the ROC's diagonal is one


def test_card_escapes_names(made):
    text = model_card.render(RunSummary(made[10]))
    (row,) = (line for line in text.splitlines() if line.startswith("| \\*\\*bold"))
    assert row.startswith("| \\*\\*bold\\*\\* \\$x\\$ :red\\[x\\] | 4 | 75.0% (30.1% to 95.4%) |")
    assert "| a\\|b | 4 |" in text and "<script" not in text.replace("\\<script", "")
    two = model_card.render(RunSummary(made[2]))
    assert "| positive class |" in two and "| NORMAL |" not in two


def test_predictions_have_no_formula(made):
    content = artifacts.ARTIFACTS["csv"].make(RunSummary(made[10]), lambda done, total: None).decode()
    rows = list(csv.DictReader(io.StringIO(content)))
    assert len(rows) == 40 and {row["label"] for row in rows} == {
        f"'{name}" if name == "=1+1" else name for name in NASTY
    }
    assert {row["source"] for row in rows} == {"1", "2"}
    assert set(rows[0]) >= {f"p_{name}" for name in NASTY}


def test_grid_is_drawn_for_letters_that_its_font_lacks(made):
    pages = PdfReader(io.BytesIO(prediction_grid.render(RunSummary(made[10])))).pages
    text = " ".join(page.extract_text() for page in pages)
    assert text.count("True:") == 40 and "True: <script>alert(1)</script>" in text and "True: =1+1" in text


def test_names_of_exported_files_do_not_hold_class_names(made):
    summary = RunSummary(made[10])
    found = [artifact.file_name(summary) for artifact in artifacts.ARTIFACTS.values()]
    assert not any(name in file for file in found for name in names(10))
