"""What stands for a run with folds or repeats: the mean, and the pooled predictions of the folds."""

import numpy as np
import pandas as pd
import pytest

from cxrcore.evaluation import intervals, mcnemar, metrics, reported
from cxrcore.figures import resampling as figures
from tests import synthetic_runs


def test_single_split_is_reported_as_it_is(made):
    run = made[2]
    assert run.averaged is None and run.headline == run.results.test.accuracy
    found = reported.load(run)
    assert not found.pooled and list(found.table["heatmap"]) == list(range(20)) and reported.basis(run) is None
    assert reported.evaluate(run, found) == run.results.test


def test_headline_of_folds_is_their_mean(made):
    """17 of 20 and 10 of 20."""
    run = synthetic_runs.fold(made[2], "kfold", [10])
    assert run.headline.value == pytest.approx((0.85 + 0.5) / 2) and run.headline.n == 40
    assert str(run.averaged.label) == "mean of 2 folds"
    one = synthetic_runs.fold(made[2], "kfold", [])
    assert one.averaged is None and one.headline == one.results.test.accuracy, "one fold has no mean"


def test_pooled_folds_have_every_image_and_the_heatmaps_of_the_first(made):
    run = synthetic_runs.fold(made[2], "kfold", [10])
    found = reported.load(run)
    assert found.pooled and list(found.table["heatmap"]) == [*range(20), *[reported.NO_HEATMAP] * 20]
    pooled = reported.evaluate(run, found)
    assert (pooled.accuracy.successes, pooled.accuracy.n, pooled.patients) == (27, 40, 40)
    first = reported.load(run, pooled=False)
    assert not first.pooled and len(first.table) == 20
    assert "pooled over 2 folds" in str(reported.basis(run)) and "first fold" in str(reported.basis(run, pooled=False))


def test_confusion_counts_the_images_of_all_folds(made):
    """The first 10 of 20 are NORMAL, so that the second fold has [[10, 0], [10, 0]]."""
    run = synthetic_runs.fold(made[2], "kfold", [10])
    assert reported.confusion(run) == [[9 + 10, 1], [2 + 10, 8]]
    assert reported.confusion(synthetic_runs.fold(made[2], "repeated", [10])) == [[9, 1], [2, 8]]


def test_runs_are_compared_on_the_images_of_all_folds(made):
    run = synthetic_runs.fold(made[2], "kfold", [10])
    both = mcnemar.compare(run, run).test
    assert (both.n, both.both, both.neither) == (40, 27, 13)


def test_repeats_are_not_pooled(made):
    run = synthetic_runs.fold(made[2], "repeated", [10])
    found = reported.load(run)
    assert not found.pooled and len(found.table) == 20 and str(run.averaged.label) == "mean of 2 repeats"
    assert "Repeats are not pooled" in str(reported.basis(run))


def test_intervals_by_patient_count_patients():
    """Two patients with ten images each, one all correct and one all wrong: the resamples are 0, 0.5 and 1."""
    table = pd.DataFrame(
        {"label": ["a"] * 20, "predicted": ["a"] * 10 + ["b"] * 10, "patient": ["x"] * 10 + ["y"] * 10}
    )
    found = metrics.evaluate(table, ["a", "b"], by_patient=True)
    assert (found.accuracy.value, found.accuracy.low, found.accuracy.high) == (0.5, 0.0, 1.0)
    assert (found.by_class["a"].recall.low, found.by_class["a"].recall.high) == (0.0, 1.0)
    precision = found.by_class["a"].precision
    assert (precision.value, precision.low) == (1.0, intervals.wilson(1, 1)[0]), "all right, of one patient"
    assert found.by_class["b"].recall.value is None
    other = metrics.evaluate(table, ["a", "b"])
    assert other.accuracy.low == intervals.wilson(10, 20)[0]


def test_intervals_by_patient_of_every_proportion():
    """With one image of each patient they are the percentiles of the resampled shares."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"label": rng.choice(["a", "b"], 200), "predicted": rng.choice(["a", "b"], 200)})
    table = table.assign(patient=[str(k) for k in range(200)])
    wilson, bootstrap = (metrics.evaluate(table, ["a", "b"], by_patient) for by_patient in (False, True))
    for name in ("recall", "specificity", "precision", "npv"):
        one, two = (getattr(found.by_class["a"], name) for found in (wilson, bootstrap))
        assert one.value == two.value and one.n == two.n
        assert (two.low, two.high) == pytest.approx((one.low, one.high), abs=0.02)


def test_strip_plot_has_a_point_for_each_fold_and_the_mean(made):
    run = synthetic_runs.fold(made[2], "kfold", [10, 17])
    figure = figures.folds(run.averaged)
    points = next(trace for trace in figure.data if trace.mode == "markers")
    assert sorted(points.x) == [0.5, 0.85, 0.85] and len(set(zip(points.x, points.y, strict=True))) == 3
    assert figure.layout.shapes[0].x0 == pytest.approx(max(0, run.headline.low))
    assert any(shape.x0 == shape.x1 == pytest.approx(run.headline.value) for shape in figure.layout.shapes)


def test_pooled_folds_have_intervals_by_patient(made):
    """All images are of two patients: the first with the 10 correct of 20, the second with the 10 wrong ones."""
    run = synthetic_runs.fold(made[2], "kfold", [10])
    table = reported.load(run).table.iloc[20:].reset_index(drop=True)
    table["patient"] = ["x"] * 10 + ["y"] * 10
    accuracy = reported.evaluate(run, reported.ReportedResult(table, pooled=True)).accuracy
    assert (accuracy.value, accuracy.low, accuracy.high) == (0.5, 0.0, 1.0)
