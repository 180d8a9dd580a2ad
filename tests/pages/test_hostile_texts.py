"""Texts from data that would be fetched, linked, run or formatted are shown as they are, wherever they are shown."""

import re

import pytest

from cxrcore.evaluation import error_analysis
from cxrcore.progress import ignore
from cxrcore.reports import artifacts
from cxrcore.reports.run_summary import RunSummary
from tests import synthetic_runs
from tests.pages import walk

CLASSES = [
    "![x](https://host.example/t.png)",
    "`tick` https://host.example/a",
    ":material/bomb: {0.__class__}",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1)) www.host.example",
    "<a href='//host.example'>b</a> $x$ :red[c]",
]
ALL = " ".join(CLASSES)


@pytest.fixture
def hostile(home):
    """A run whose every text is hostile; a damaged run and a damaged dataset whose folders' names are."""
    run = synthetic_runs.make(
        CLASSES, synthetic_runs.confusion(len(CLASSES)), positive=CLASSES[0], sources=CLASSES[:2],
        stem=ALL.replace("/", "∕"),
    )  # fmt: skip
    run.describe(title=ALL, tags=[ALL])
    error_analysis.write_note(run, run.predictions("test")["sha256"].iloc[0], ALL)
    for folder in (home / "runs", home / "datasets"):
        damaged = folder / "x`tick` :material|bomb: <img src=x onerror=alert(1)> www.host.example"
        damaged.mkdir()
        for name in ("status.json", "dataset.json"):
            (damaged / name).write_text("{")
    return run


PAGES = [
    ("home", {}), ("compare", {}), ("compare", {"runs": ""}), ("explain", {}), ("status", {}), ("train", {}),
    ("train", {"run": ""}), *(("data", {"view": view}) for view in ("Overview", "Images", "Audit")),
    *(("results", {"tab": tab}) for tab in ("Images", "Metrics", "Errors", "Robustness", "Export")),
    ("results", {"sample": "0"}),
]  # fmt: skip


def test_every_page_and_tab_shows_hostile_texts_as_they_are(open_page, hostile):
    live, seen = [], set()
    for page, query in PAGES:
        test = open_page(page, **{name: value or hostile.name for name, value in query.items()})
        for place, text in walk.texts(test):
            if found := walk.live(place, text):
                live.append((page, query, place, found.string[max(0, found.start() - 40) :][:100]))
            if "tick" in text and "bomb" in text:
                seen.add(place)
    assert live == []
    assert seen >= {
        "markdown.body", "button.label", "caption.body", "page_link.label", "plotly_chart.spec", "html.body",
        "dataframe", "selectbox.rawValue", "subheader.body", "text_input.default",
    }, seen  # fmt: skip


def test_report_card_and_pdf_show_hostile_texts_as_they_are(hostile):
    summary = RunSummary(hostile)
    page, pdf, card = (artifacts.make(artifacts.ARTIFACTS[key], summary, ignore) for key in ("html", "pdf", "card"))
    assert b"tick" in page and not re.search(rb"<(img src=x|a href='//host)|(src|href)=.?(https?:)?//host", page)
    assert pdf.startswith(b"%PDF") and b"/URI" not in pdf and b"/JavaScript" not in pdf
    text = card.decode()
    assert "tick" in text and not re.search(r"(?<!\\)!\[x|(?<!\\)`tick|(?<!\\)<(img|a)\b|(?<!\\)\[a\]", text)
