"""The audits of a run as pictures: on Results and Train, from results that are made by hand."""

import json
import types

import pytest

from cxrcore.audits.corner_occlusion import CornerResult
from cxrcore.audits.mitigations import FILE as MITIGATIONS
from cxrcore.audits.mitigations import MitigationResult, Mitigations
from cxrcore.audits.shortcut import FILE, HeatmapEnergy, LungProbes, ShortcutAudit
from cxrcore.messages import msg
from cxrcore.metric import Metric
from cxrcore.ui import csv_table, metric_table
from cxrcore.ui.train import like_run


def _probe(value):
    return Metric(value, value - 0.1, value + 0.05, 20)


@pytest.fixture
def shown(made):
    """A run with a shortcut audit and mitigations."""
    lungs = LungProbes(msg("mask files"), 0.5, _probe(0.85), _probe(0.8), _probe(0.6))
    ShortcutAudit(
        chance=0.5,
        full=_probe(0.9),
        border={5: _probe(0.7), 16: _probe(0.75)},
        border_pixels={5: _probe(0.55), 16: _probe(0.65)},
        source=_probe(0.95),
        lungs=lungs,
        corners={"top left": CornerResult(_probe(0.7), 2)},
        energy=HeatmapEnergy(None, None),
        is_shortcut=True,
        sentence=msg("The border tells."),
    ).write(made[2].folder / FILE)
    results = {
        "": MitigationResult(_probe(0.9), _probe(0.75), _probe(0.65), None),
        "crop": MitigationResult(_probe(0.85), _probe(0.5), _probe(0.6), None),
        "equalise": MitigationResult(None, _probe(0.7), _probe(0.6), None),
    }
    found = Mitigations(n=20, of=20, width=16, transforms=results, best="crop")
    found.write(made[2].folder / MITIGATIONS)
    return made[2]


def _figure(test, start):
    """Return the figure whose description begins like this, as JSON."""
    (found,) = [chart.proto for chart in test.get("plotly_chart") if chart.proto.alt.startswith(start)]
    return json.loads(found.spec)


def test_probes_are_dots_in_the_order_of_what_is_visible(open_page, shown):
    test = open_page("results", run=shown.name, tab="Robustness")
    figure = _figure(test, "Accuracy by what is visible; chance 50%")
    assert figure["data"][0]["text"] == [
        "whole image: 90.0% (80.0% to 95.0%)",
        "lungs only: 80.0% (70.0% to 85.0%)",
        "lungs masked: 60.0% (50.0% to 65.0%)",
        "border of 16 px: 75.0% (65.0% to 80.0%)",
        "border of 5 px: 70.0% (60.0% to 75.0%)",
        "16 px, pixel values: 65.0% (55.0% to 70.0%)",
        "5 px, pixel values: 55.0% (45.0% to 60.0%)",
        "source: 95.0% (85.0% to 100.0%)",
    ]
    colours = figure["data"][0]["marker"]["color"]
    assert colours[0] == colours[1] != colours[2] == colours[6] != colours[7]
    assert "The border tells." in test.error[0].value


def test_mitigations_are_lines_and_the_best_of_both_borders_counts(open_page, shown):
    test = open_page("results", run=shown.name, tab="Robustness")
    lines = _figure(test, "Accuracy from the border alone")["data"]
    assert [(line["name"], line["y"]) for line in lines] == [
        ("crop to the lungs", [0.75, 0.6]),
        ("histogram equalisation", [0.75, 0.7]),
        ("crop to the lungs", [0.9, 0.85]),
    ]
    assert "from 75.0% to 60.0%" in test.success[-1].value


def test_run_is_trained_again_with_a_transform(open_page, shown, monkeypatch):
    submitted = []

    def submit(config):
        submitted.append(config)
        return shown

    monkeypatch.setattr(like_run.queue, "submit", submit)
    test = open_page("train", like=shown.name, transform="crop")
    assert "with the image transform **crop to the lungs**" in " ".join(text.value for text in test.markdown)
    next(button for button in test.button if button.label == "Start training").click().run()
    (config,) = submitted
    assert config == shown.requested.model_copy(update={"image_transform": "crop", "dataset_version": 0})
    assert "like" not in test.query_params and "transform" not in test.query_params


@pytest.mark.parametrize("transform", ["border:5", "no"])
def test_form_is_shown_for_a_link_that_names_no_transform(open_page, shown, transform):
    test = open_page("train", like=shown.name, transform=transform)
    assert "Preset" in [control.label for control in test.segmented_control]


def test_audience_is_not_offered_to_train(open_page, shown, monkeypatch):
    shown.show(True)
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    test = open_page("results", run=shown.name, tab="Robustness")
    assert _figure(test, "Accuracy from the border alone")
    assert "Train with this transform" not in [button.label for button in test.button]


def test_file_of_a_table_has_numbers_with_the_ends_of_their_intervals(monkeypatch):
    made = []
    monkeypatch.setattr(
        csv_table,
        "st",
        types.SimpleNamespace(
            dataframe=lambda rows, **_: made.append(rows), download_button=lambda *values, **_: made.append(values[1]())
        ),
    )
    metric_table.show([{"visible": "lungs", "accuracy": Metric(0.5, 0.25, 0.75, 8), "source": None}], "a.csv")
    assert made[0] == [{"visible": "lungs", "accuracy": "50.0% (25.0% to 75.0%)", "source": "–"}]
    assert made[1].splitlines() == [
        "visible,accuracy,accuracy (2.5%),accuracy (97.5%),accuracy (n),source,source (2.5%),source (97.5%),source (n)",
        "lungs,0.5,0.25,0.75,8,,,,0",
    ]
