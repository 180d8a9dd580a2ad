"""Pages and reports of runs with folds or repeats show the mean, and the pooled predictions."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from pypdf import PdfReader
from typer.testing import CliRunner

from cxrcore import runs
from cxrcore.cli import app
from cxrcore.evaluation import run_comparison
from cxrcore.reports import artifacts, html_report, model_card, prediction_grid
from cxrcore.reports.run_summary import RunSummary
from cxrcore.ui.explain import explanation
from cxrcore.ui.selection import run_label
from tests import synthetic_runs


@pytest.fixture
def folded(made):
    """A run with two folds: 17 of 20 images are correct in the first, 10 of 20 in the second."""
    return synthetic_runs.fold(made[2], "kfold", [10])


def _shown(test):
    return {metric.label: metric.value for metric in test.metric}


def _texts(test):
    return " ".join(element.value for kind in ("markdown", "caption", "info", "success") for element in test.get(kind))


def test_results_show_the_mean_and_every_image(open_page, folded):
    test = open_page("results", run=folded.name)
    assert _shown(test)["Test accuracy, mean of 2 folds"] == "67.5%" and _shown(test)["Images tested"] == "40"
    assert [label for label in _shown(test) if label.startswith("Always answering")] == list(_shown(test))[2:3]
    assert "40 of 40 test images" in _texts(test) and "pooled over 2 folds" in _texts(test)
    test = open_page("results", run=folded.name, folds="first")
    assert _shown(test)["Test accuracy, mean of 2 folds"] == "67.5%", "the headline is that of the run"
    assert "20 of 20 test images" in _texts(test) and "those of the first fold" in _texts(test)


def test_images_of_later_folds_have_no_heatmap(open_page, folded):
    test = open_page("results", run=folded.name, overlays="true", which="incorrect")
    (grid,) = (json.loads(element.proto.json) for element in test.get("bidi_component"))
    with_heatmap = [bool(card["over"]) for card in grid["cards"]]
    assert (len(with_heatmap), sum(with_heatmap)) == (13, 3), "3 errors of the first fold, 10 of the second"


def test_tabs_of_pooled_folds(open_page, folded):
    test = open_page("results", run=folded.name, tab="Metrics")
    assert "by bootstrap over patients (Wilson's where all are correct)" in _texts(test)
    assert "test patients are needed; there are 40" in _texts(test)
    test = open_page("results", run=folded.name, tab="Probabilities")
    assert "emperature" not in _texts(test), "a temperature is of one model"


def test_results_of_repeats_are_those_of_the_first(open_page, made):
    run = synthetic_runs.fold(made[2], "repeated", [10])
    test = open_page("results", run=run.name)
    assert _shown(test)["Test accuracy, mean of 2 repeats"] == "67.5%"
    assert "Images tested" not in _shown(test), "an image may be tested in both"
    assert "20 of 20 test images" in _texts(test) and "Repeats are not pooled" in _texts(test)


def test_train_page_and_labels_show_the_mean(open_page, folded):
    test = open_page("train", run=folded.name)
    assert _shown(test)["Test accuracy, mean of 2 folds"] == "67.5%" and "Finished after 1 s." in _texts(test)
    assert run_label(folded).endswith("67.5% (mean of 2 folds)")


def test_reports_say_what_the_numbers_are_of(folded):
    summary = RunSummary(folded)
    card, html = model_card.render(summary), html_report.render(summary)
    for text in (card, html):
        assert "Test accuracy, mean of 2 folds" in text and "67.5%" in text and "27 of 40" in text
        assert "pooled over 2 folds" in text and "by bootstrap over patients" in text
    assert '"folds":' in html and html.count('class="picture') == 40
    assert "Grad-CAM of " in html, "a heatmap of the first fold"
    assert "mean of 2 folds: 67.5%" in PdfReader(io.BytesIO(prediction_grid.render(summary))).pages[0].extract_text()
    lines = artifacts.ARTIFACTS["csv"].make(summary, lambda done, total: None).decode().splitlines()
    assert len(lines) == 41 and "fold" in lines[0] and "heatmap" not in lines[0]


def test_command_line_shows_the_mean(folded, made):
    def cxr(*words):
        return CliRunner().invoke(app, words, catch_exceptions=False).stdout

    listed = {row["run"]: row for row in json.loads(cxr("runs", "list", "--json"))["runs"]}
    assert listed[folded.name]["accuracy"]["value"] == pytest.approx(0.675)
    assert listed[folded.name]["accuracy_of"] == "mean of 2 folds"
    assert listed[made[10].name]["accuracy_of"] == "test images"
    assert "%), mean of 2 folds" in cxr("runs", "list")
    table = run_comparison.table([runs.load(folded.name), made[10]])
    assert list(table["accuracy"]) == pytest.approx([0.675, 0.75]) and list(table["resampling"]) == [2, 1]
    assert list(table["n_test"]) == [40, 40]


def test_explain_offers_test_images_of_later_folds_last(open_page, folded, monkeypatch):
    """Row 20 is the first of the second fold: the saved model computes it, and the page says that it was trained on."""
    asked = []

    def explain(run, path, chosen, place):
        asked.append(path.name)
        return SimpleNamespace(probabilities=np.array([0.3, 0.7]), heatmaps=np.ones((1, 2, 2), np.float32))

    monkeypatch.setattr(explanation, "explain", explain)
    test = open_page("explain", run=folded.name)
    choice = next(box for box in test.selectbox if box.label.startswith("Test image"))
    assert len(choice.options) == 40 and "incorrect" in choice.options[0] and "incorrect" in choice.options[20]
    assert asked == [], "a heatmap of the first fold is kept"
    test = open_page("explain", run=folded.name, image="20")
    assert asked == ["0.png"] and "its prediction is not a test" in test.warning[0].value
