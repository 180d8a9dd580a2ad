"""The strip plot of folds."""

from cxrcore.figures import resampling
from tests import synthetic_runs


def test_axis_holds_every_fold_and_ends_at_100_percent(made):
    """17 and 20 of 20 images are correct: mean 92.5 %, whose interval ends at 100 %."""
    figure = resampling.folds(synthetic_runs.fold(made[2], "kfold", [20]).averaged)
    low, high = figure.layout.xaxis.range
    assert list(figure.data[0].x) == [0.85, 1.0]
    assert low < 0.85 and 1 <= high < 1.01
