"""What the training curves mark: the best epoch, the run before, and the changes of the learning rate."""

from cxrcore.figures import charts
from cxrcore.runs.models import EpochMetrics, RunEvent


def _epochs(losses, rates=None):
    values = {"accuracy": 0.5, "loss": 1.0, "seconds": 1}
    return [
        EpochMetrics(epoch=k, val_loss=loss, val_accuracy=1 - loss, learning_rate=(rates or losses)[k - 1], **values)
        for k, loss in enumerate(losses, start=1)
    ]


def test_best_epoch_is_marked_on_the_validation_curve():
    figure = charts.curves(_epochs([0.9, 0.4, 0.6]), "loss", "Loss", planned=5, best=2)
    mark = figure.data[-1]
    assert (mark.x, mark.y, mark.text) == ((2,), (0.4,), ("best: 2",)) and not figure.layout.shapes


def test_previous_run_is_one_line_behind_the_others_on_the_same_axis():
    figure = charts.curves(_epochs([0.9]), "accuracy", "Accuracy", planned=5, previous=_epochs([0.75, 0.25] * 4))
    names = [trace.name for trace in figure.data]
    assert names == ["training", "validation", "previous run"]
    assert figure.data[2].y == (0.25, 0.75) * 4 and figure.data[2].zorder == -1
    assert figure.layout.xaxis.range == (0.5, 5.5)


def test_changes_of_the_learning_rate_are_marked_at_the_first_epoch_that_has_it():
    epochs = _epochs([0.9, 0.8, 0.7], rates=[0.1, 0.05, 0.2])
    changes = [
        RunEvent(event="reduced", epoch=2, value=0.05),
        RunEvent(event="learning-rate", epoch=3, value=0.2),
        RunEvent(event="collapsed", epoch=3, value=1.0),
    ]
    line, reduced, given = charts.learning_rate(epochs, changes).data
    assert (reduced.name, reduced.x, reduced.y) == ("reduced by the schedule", (2,), (0.05,))
    assert (given.name, given.x, given.y) == ("set by the user", (3,), (0.2,))
    assert all(y in dict(zip(line.x, line.y, strict=True)).values() for y in (*reduced.y, *given.y))
    assert len(charts.learning_rate(epochs).data) == 1
