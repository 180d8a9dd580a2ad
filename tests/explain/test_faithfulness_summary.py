"""The sentences on faithfulness checks, and the method that is named worst."""

from dataclasses import replace

import pytest

from cxrcore.explain import faithfulness_summary
from cxrcore.explain.faithfulness_summary import LesionChecks, MethodChecks
from cxrcore.messages import msg
from cxrcore.metric import Metric

GOOD = MethodChecks(
    deletion=Metric(0.2),
    insertion=Metric(0.6),
    over_random=Metric(0.3, 0.1, 0.5, 16),
    stability=Metric(0.9, n=15),
    random_weights=Metric(0.1, n=8),
    stages=[],
    in_lungs=None,
    over_chance=Metric(0.4, 0.2, 0.6, 7),
)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"over_random": Metric(0.3, 0.0, 0.5, 16)},
            "On 16 images, the regions it highlights were not shown to matter more than random ones.",
        ),
        (
            {"random_weights": Metric(0.3, n=8)},
            "It hardly changes when the model's weights are shuffled (rank correlation 0.30, 8 images): it shows the "
            "image more than the model.",
        ),
        (
            {"stability": Metric(0.69, n=15)},
            "Noise too weak to see changes it (rank correlation 0.69, 15 images).",
        ),
        (
            {"over_chance": Metric(0.4, 0.0, 0.6, 7)},
            "On 7 images, its peak was not shown to be in lesions more than a random point in the lungs.",
        ),
    ],
)
def test_each_flaw_in_words(changes, sentence):
    assert [str(flaw) for flaw in faithfulness_summary.flaws(replace(GOOD, **changes))] == [sentence]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"over_random": Metric(0.3, 0.001, 0.5, 16)},
        {"random_weights": Metric(0.29, n=8)},
        {"random_weights": None},
        {"random_weights": Metric(None)},
        {"stability": Metric(0.7, n=15)},
        {"over_chance": Metric(0.4, 0.001, 0.6, 7)},
        {"over_chance": None},
    ],
)
def test_no_flaw_within_the_limits(changes):
    assert faithfulness_summary.flaws(replace(GOOD, **changes)) == []


def test_unknown_values_are_flaws_where_they_are_needed():
    assert len(faithfulness_summary.flaws(replace(GOOD, over_random=Metric(None)))) == 1
    assert len(faithfulness_summary.flaws(replace(GOOD, over_chance=Metric(0.4)))) == 1
    assert len(faithfulness_summary.flaws(replace(GOOD, stability=Metric(0.0)))) == 1


def test_worst_method_has_most_flaws_then_the_lowest_gain_over_random():
    weak, unstable = replace(GOOD, over_random=Metric(0.2, 0.1, 0.3, 16)), replace(GOOD, stability=Metric(0.5, n=15))
    assert faithfulness_summary.worst({"good": GOOD, "weak": weak}) == "weak"
    assert faithfulness_summary.worst({"unstable": unstable, "good": GOOD, "weak": weak}) == "unstable"


def _points(value, low=None, high=None, n=0):
    return LesionChecks(Metric(value, low, high, n), Metric(0.5))


def test_sentence_on_lesions_with_and_without_baselines():
    checks, title = _points(0.75, 0.4, 0.9, 12), msg("Grad-CAM")
    assert str(faithfulness_summary.lesion_sentence(title, checks, _points(0.2), _points(0.5))) == (
        "Grad-CAM points into a drawn lesion in 75% of 12 images (95% interval 40% to 90%), a random point in the "
        "lungs in 20%, the centre of a lung in 50%."
    )
    without = (
        "Grad-CAM points into a drawn lesion in 75% of 12 images (95% interval 40% to 90%). How often a random point "
        "in the lungs does is not known."
    )
    for baselines in ((None, None), (_points(0.2), None), (None, _points(0.5))):
        assert str(faithfulness_summary.lesion_sentence(title, checks, *baselines)) == without
