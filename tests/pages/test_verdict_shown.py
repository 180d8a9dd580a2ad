"""The verdict wherever a run's accuracy stands: pages, command line, report, model card and CSV."""

import io
import json

import pytest
from pypdf import PdfReader

from cxrcore.cli import runs as cli_runs
from cxrcore.cli import train as cli_train
from cxrcore.evaluation import run_comparison
from cxrcore.files import append_line
from cxrcore.reports import model_card, prediction_grid, templates
from cxrcore.reports.run_summary import RunSummary
from cxrcore.runs import EVENTS, RUNNING, RunEvent
from tests import synthetic_runs

SENTENCE = "Answers COVID to all 17 test images, although 8 of them are of other classes."


@pytest.fixture
def collapsed(home):
    """A run that answers COVID to 9 images of COVID and 8 of NORMAL."""
    return synthetic_runs.make(["COVID", "NORMAL"], [[9, 0], [8, 0]], "collapsed")


def test_results_show_the_baseline_beside_the_accuracy_and_the_findings_in_red(open_page, collapsed):
    test = open_page("results", run=collapsed.name)
    numbers = {metric.label: metric.value for metric in test.metric}
    assert numbers["Always answering COVID"] == "52.9% (31.0% to 73.8%)" == f"{9 / 17:.1%} (31.0% to 73.8%)"
    assert SENTENCE in test.error[0].value
    assert not test.success
    (choice,) = [box for box in test.selectbox if box.label == "Run"]
    assert choice.options[0].endswith("52.9% · always answers COVID")


def test_train_page_ends_with_the_verdict_in_place_of_a_green_tick(open_page, collapsed):
    test = open_page("train", run=collapsed.name)
    assert not test.success
    assert test.error[0].value.startswith("Finished after") and SENTENCE in test.error[0].value


def test_good_run_is_shown_in_green(open_page, home):
    run = synthetic_runs.make(["COVID", "NORMAL"], [[9, 1], [2, 8]], "good")
    assert "17 of 20 test images are correct, against 10." in open_page("train", run=run.name).success[0].value


@pytest.fixture
def training(open_page, collapsed):
    """A run of this process that trains and was warned of; it ends before `open_page` ends what still runs."""
    event = RunEvent(event="exploded", epoch=3, value=9.0, message="The training loss exploded: lower the rate.")
    append_line(collapsed.folder / EVENTS, event.model_dump(mode="json"))
    (collapsed.folder / "metrics.json").unlink()
    before = collapsed.status
    before.model_copy(update={"state": RUNNING}).write(collapsed.folder / "status.json")
    yield collapsed
    before.write(collapsed.folder / "status.json")


def test_warning_is_shown_while_the_run_trains(open_page, training):
    assert "The training loss exploded" in open_page("train", run=training.name).warning[0].value


def test_lists_of_runs_say_what_went_wrong(open_page, collapsed):
    links = [link.proto.label for link in open_page("home").get("page_link")]
    assert [label for label in links if label.endswith("always answers COVID")]
    table = open_page("compare").dataframe[0].value
    assert table["verdict"].tolist() == ["✕ always answers COVID; no better than always answering COVID"]


def test_csv_has_level_and_baseline(collapsed):
    (row,) = run_comparison.table([collapsed]).to_dict("records")
    assert (row["verdict"], row["baseline"]) == ("bad", 9 / 17)


def test_command_line_gives_the_verdict_as_text_and_json(collapsed, capsys):
    cli_train.report(collapsed, json=False)
    text = capsys.readouterr().out
    assert "Always answering COVID: 52.9 % (9 of 17; 95 % interval" in text and f"Bad: {SENTENCE}" in text
    cli_runs.list_(json=True)
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert row["verdict"] == cli_train.summary(collapsed)["verdict"]
    assert row["verdict"]["level"] == "bad" and row["verdict"]["baseline"]["successes"] == 9
    assert [finding["id"] for finding in row["verdict"]["findings"]] == ["one-answer", "no-better"]
    cli_runs.list_()
    assert capsys.readouterr().out.rstrip().endswith("always answers COVID")


def test_pdf_has_accuracy_baseline_and_verdict_under_the_heading(collapsed):
    text = PdfReader(io.BytesIO(prediction_grid.render(RunSummary(collapsed)))).pages[0].extract_text()
    interval = "52.9% (31.0% to 73.8%)"
    assert f"Test accuracy: {interval} · Always answering COVID: {interval} · always answers COVID" in text


def test_report_and_model_card_give_baseline_and_findings(collapsed):
    summary = RunSummary(collapsed)
    card = model_card.render(summary)
    assert "Always answering COVID: 52.9% (31.0% to 73.8%)." in card and f"- {SENTENCE}" in card
    assert "| positive class | images |" in card and "\n\n| positive class" in card
    values = {
        "plotly": "",
        "figures": {},
        "images": [],
        "left_out": 0,
        "curves_shown": 2,
        "curves_left_out": False,
        "flow": "",
    }
    styles = {name: {"colour": "", "mark": ""} for name in summary.classes}
    page = templates.html("report.html.j2", summary=summary, styles=styles, **values)
    assert '<div class="verdict bad">' in page and SENTENCE in page and "Always answering COVID" in page
