"""The faithfulness checks as pictures, from checks that are made by hand."""

import json
from dataclasses import replace

import pytest

from cxrcore.explain.faithfulness import FILE, Curves, Faithfulness, MeanCurves, RandomMapChecks
from cxrcore.explain.faithfulness_summary import LesionChecks, MethodChecks
from cxrcore.figures import palette
from cxrcore.messages import msg
from cxrcore.metric import Metric


def _checks(value):
    metric = Metric(value, value - 0.1, value + 0.1, 8)
    return MethodChecks(
        deletion=metric,
        insertion=metric,
        over_random=metric,
        stability=metric,
        random_weights=None,
        stages=[],
        in_lungs=metric,
    )


@pytest.fixture
def checked(made):
    """A run whose heatmaps were checked, and what was found."""
    curves = MeanCurves([1.0, 0.0], [0.0, 1.0])
    found = Faithfulness(
        methods={"grad-cam": _checks(0.5), "layercam": _checks(0.25)},
        random=RandomMapChecks(deletion=Metric(0.625), insertion=Metric(0.375)),
        lungs_from=msg("mask files"),
        layer="block5_out",
        flaws={"grad-cam": [], "layercam": [msg("It moves.")]},
        worst="layercam",
        curves=Curves({"grad-cam": curves, "layercam": curves}, curves),
    )
    found.write(made[2].folder / FILE)
    return made[2], found


def _figures(open_page, run):
    test = open_page("explain", run=run.name, show="Faithfulness")
    return {chart.proto.alt.partition(":")[0]: json.loads(chart.proto.spec) for chart in test.get("plotly_chart")}


def test_each_check_that_was_made_has_a_dot_for_each_method_and_its_line(open_page, checked):
    figures = _figures(open_page, checked[0])
    *checks, curves = figures
    assert checks == ["insertion over random", "noise stability", "share in lungs", "deletion", "insertion"]
    dots = figures["deletion"]["data"][0]
    assert dots["text"] == ["Grad-CAM: 0.500 (0.400 to 0.600)", "LayerCAM: 0.250 (0.150 to 0.350)"]
    assert dots["marker"]["color"] == [palette.TRAINING, palette.WRONG]
    places = {name: [shape["x0"] for shape in figures[name]["layout"]["shapes"]][2:] for name in checks}
    assert places == {
        "insertion over random": [0],
        "noise stability": [0.7],
        "share in lungs": [],
        "deletion": [0.625],
        "insertion": [0.375],
    }
    assert len(figures[curves]["data"]) == 6
    assert figures["share in lungs"]["data"][0]["text"][0] == "Grad-CAM: 50.0% (40.0% to 60.0%)"


def test_checks_of_an_earlier_version_are_shown_without_curves(open_page, checked):
    run, found = checked
    found.model_copy(update={"curves": None}).write(run.folder / FILE)
    assert list(_figures(open_page, run))[-1] == "insertion"


def test_methods_are_shown_beside_the_baselines_where_lesions_are_known(open_page, checked):
    run, found = checked
    lesions = LesionChecks(Metric(0.5, 0.25, 0.75, 4), Metric(0.3, 0.2, 0.4, 4), Metric(0.4))
    chance, centres = (LesionChecks(Metric(value), Metric(value / 2)) for value in (0.4, 0.6))
    methods = {name: replace(checks, lesions=lesions) for name, checks in found.methods.items()}
    update = {"methods": methods, "random_point": chance, "lung_centres": centres}
    found.model_copy(update=update).write(run.folder / FILE)
    figures = _figures(open_page, run)
    assert list(figures)[2:5] == ["pointing game", "share in lesions", "area under the precision-recall curve"]
    figure = figures["pointing game"]
    assert figure["data"][0]["text"] == [
        "Grad-CAM: 50.0% (25.0% to 75.0%)",
        "LayerCAM: 50.0% (25.0% to 75.0%)",
        "random point in the lungs: 40.0%",
        "centres of the lungs: 60.0%",
    ]
    assert figure["layout"]["shapes"][-1]["x0"] == 0.4  # the line is the random point
    text = open_page("explain", run=run.name, show="Faithfulness").markdown
    sentence = "Grad-CAM points into a drawn lesion in 50% of 4 images (95% interval 25% to 75%), a random point"
    assert any(sentence in element.value for element in text)
