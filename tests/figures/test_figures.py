"""Figures hold the values they were given."""

import numpy as np
import pytest

from cxrcore import i18n
from cxrcore.evaluation.probability_metrics import ReliabilityBin
from cxrcore.figures import charts, comparison, confusion_matrix, formatting, palette, probability_curves
from cxrcore.metric import Metric
from cxrcore.runs.models import EpochMetrics

CLASSES = ["COVID", "NORMAL", "OTHER INFECTION"]
RATE = {"learning_rate": 0.01, "seconds": 1}
EPOCHS = [
    EpochMetrics(epoch=1, accuracy=0.5, val_accuracy=0.6, loss=1.0, val_loss=0.9, **RATE),
    EpochMetrics(epoch=2, accuracy=0.7, val_accuracy=0.8, loss=0.7, val_loss=0.6, **RATE),
]
ACCURACY = Metric(73 / 75, 0.908, 0.993, 75, 73)


@pytest.mark.parametrize(
    ("form", "metric", "text"),
    [
        (formatting.percent, ACCURACY, "97.3%"),
        (formatting.percent, Metric(None), "–"),
        (formatting.percent, None, "–"),
        (formatting.interval, ACCURACY, "90.8% to 99.3%"),
        (formatting.interval, Metric(0.5), "–"),
        (formatting.with_interval, ACCURACY, "97.3% (90.8% to 99.3%)"),
        (formatting.with_interval, Metric(0.5), "50.0%"),
        (formatting.number, Metric(0.95, 0.9024, 0.9806), "0.950 (0.902 to 0.981)"),
        (formatting.number, Metric(None, n=3), "–"),
    ],
)
def test_metric_as_text(form, metric, text):
    assert form(metric) == text


def test_metric_as_text_in_portuguese():
    i18n.use("pt")
    assert formatting.percent(ACCURACY) == "97,3%"


def test_training_curves_keep_their_axis():
    figure = charts.curves(EPOCHS, "accuracy", "Accuracy", planned=80, kept=2)
    assert [list(trace.y) for trace in figure.data] == [[0.5, 0.7], [0.6, 0.8]]
    assert list(figure.layout.xaxis.range) == [0.5, 80.5]
    assert figure.layout.shapes[0].x0 == 2


MATRIX = [[9, 1, 0], [0, 5, 5], [0, 0, 0]]


def test_confusion_matrix_has_counts_and_shares():
    figure = confusion_matrix.confusion(MATRIX, CLASSES, confusion_matrix.BY_TRUE, ink="#111111")
    assert figure.data[0].z[0].tolist() == pytest.approx([0.9, 0.1, 0.0])
    assert figure.data[0].z[2].tolist() == [0, 0, 0]  # an empty class is no division by zero
    assert figure.data[1].text[:2] == ("<b>9</b><br>90%", "<b>1</b><br>10%")
    by_predicted = confusion_matrix.confusion(MATRIX, CLASSES, confusion_matrix.BY_PREDICTED, ink="#111111")
    assert by_predicted.data[0].z[0].tolist() == pytest.approx([1.0, 1 / 6, 0.0])


def test_cells_rows_and_columns_of_the_matrix_choose_their_classes():
    marks = confusion_matrix.confusion(MATRIX, CLASSES, confusion_matrix.COUNT, ink="#111111").data[2]
    chosen = {(x, y): tuple(choice) for x, y, choice in zip(marks.x, marks.y, marks.customdata, strict=True)}
    assert chosen[1, 0] == ("COVID", "NORMAL")  # true COVID, predicted NORMAL
    assert chosen[-1, 0] == ("COVID", "")  # the name of the first row: all true COVID
    assert chosen[2, -1] == ("", "OTHER INFECTION")
    assert len(chosen) == 9 + 3 + 3


@pytest.mark.parametrize("size", [2, 10])
def test_matrix_of_two_and_of_ten_classes(size):
    names = [f"class {k}" for k in range(size)]
    figure = confusion_matrix.confusion([[1] * size] * size, names, confusion_matrix.COUNT, ink="#111111")
    assert len(figure.data[2].x) == size * size + 2 * size
    assert 44 * (size + 1) <= figure.layout.height <= 800  # a square that can be clicked has 44 pixels


def test_a_class_has_the_same_colour_in_every_dataset():
    assert palette.class_colours(["NORMAL", "X"])["NORMAL"] == palette.class_colours(CLASSES)["NORMAL"]
    ten = [f"c{k}" for k in range(7)] + CLASSES
    assert len(set(palette.class_colours(ten).values())) == 10


def test_class_counts_by_group():
    figure = charts.class_counts({"train": {"COVID": 3}, "test": {"COVID": 1, "NORMAL": 2}}, CLASSES)
    assert [list(trace.x) for trace in figure.data] == [[3, 1], [0, 2], [0, 0]]


def test_reliability_shows_accuracy_with_its_interval():
    figure = probability_curves.reliability([ReliabilityBin(0.9, Metric(0.8, 0.5, 0.95, 10, 8))])
    points = figure.data[1]
    assert list(points.x) == [0.9] and list(points.y) == [0.8] and points.text == ("8 of 10 correct",)
    assert list(points.error_y.array) == pytest.approx([0.15])
    assert list(points.error_y.arrayminus) == pytest.approx([0.3])


def test_roc_leaves_out_classes_that_do_not_occur():
    scores = {"COVID": np.array([0.9, 0.2]), "NORMAL": np.array([0.1, 0.8]), "OTHER INFECTION": np.array([0.0, 0.0])}
    figure = probability_curves.roc(["COVID", "NORMAL"], scores)
    assert [trace.name for trace in figure.data[1:]] == ["COVID", "NORMAL"]
    assert list(figure.data[1].x) == [0, 0, 1] and list(figure.data[1].y) == [0, 1, 1]


def test_names_from_data_are_not_html_in_figures():
    name = "<a href='http://example.org'>x</a>"
    escaped = "&lt;a href='http://example.org'&gt;x&lt;/a&gt;"
    assert comparison.curves({name: EPOCHS}, "val_loss", "Loss").data[0].name == escaped
    assert charts.class_counts({"test": {name: 1}}, [name]).data[0].name == escaped
    assert charts.probabilities({name: 1.0}).data[0].y == (escaped,)
