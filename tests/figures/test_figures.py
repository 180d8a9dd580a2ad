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


@pytest.mark.parametrize("size", [11, 50])
def test_matrix_of_many_classes_has_no_numbers(size):
    names = ["a" * 30 + str(k) + "b" * 25 for k in range(size)]  # equal when shortened
    figure = confusion_matrix.confusion(np.eye(size, dtype=int), names, confusion_matrix.COUNT, ink="#111111")
    heatmap, marks = figure.data
    assert len(set(heatmap.x)) == size and {len(label.strip("\u200b")) for label in heatmap.x} == {20}
    assert [list(pair) for pair in marks.customdata] == [
        [name, name] for name in names
    ]  # cells without images take no clicks
    assert figure.layout.height <= 1000


def test_long_names_are_shortened_in_the_matrix_and_whole_in_its_hover_text():
    long = "x" * 30 + "y" * 30
    figure = confusion_matrix.confusion([[1, 0], [0, 1]], [long, "b"], confusion_matrix.COUNT, ink="#111111")
    assert figure.layout.yaxis.ticktext == ("all", f"{'x' * 13}<br>…{'y' * 12}", "b")
    assert f"true {long}" in figure.data[2].text[0]


def test_a_class_has_the_same_colour_in_every_dataset():
    tutorials = palette.class_styles(CLASSES)
    assert palette.class_styles(["NORMAL", "X"])["NORMAL"] == tutorials["NORMAL"]
    assert palette.class_styles(["A", "NORMAL"]) == {"A": tutorials["COVID"], "NORMAL": tutorials["NORMAL"]}


def test_eight_classes_differ_by_colour_and_fifty_by_dash_pattern_and_mark():
    styles = palette.class_styles([f"c{k}" for k in range(47)] + CLASSES)
    first = [style for style in styles.values() if style.dash == "solid"]
    assert len(first) == len({style.colour for style in first}) == 8
    for channel in ("dash", "pattern", "mark"):
        assert len({(style.colour, getattr(style, channel)) for style in styles.values()}) == 50


# Machado et al. 2009, table 1, severity 1.0: what is left of linear RGB without one kind of cone.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def _linear(colours):
    values = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in colours]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("vision", VISION)
def test_colours_of_eight_classes_differ_with_any_colour_vision(vision):
    seen = np.clip(_linear(palette.series(8)) @ np.array(VISION[vision]).T, 0, 1)
    x, y, z = np.cbrt(seen @ XYZ.T / (0.9505, 1, 1.089)).T
    lab = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
    distances = np.linalg.norm(lab[:, None] - lab, axis=2)
    assert distances[~np.eye(8, dtype=bool)].min() >= 20


def test_colours_have_contrast_on_both_backgrounds():
    *luminance, dark = _linear([*palette.series(8), "#12171D"]) @ XYZ[1]
    assert all(1.05 / (value + 0.05) >= 3 and (value + 0.05) / (dark + 0.05) >= 3 for value in luminance)


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
    figure = probability_curves.roc(["COVID", "NORMAL"], scores, CLASSES)
    assert [trace.name for trace in figure.data[1:]] == ["COVID", "NORMAL"]
    assert list(figure.data[1].x) == [0, 0, 1] and list(figure.data[1].y) == [0, 1, 1]


def test_names_from_data_are_not_html_in_figures():
    name = "<a href='http://example.org'>x</a>"
    escaped = "&lt;a href='http://example.org'&gt;x&lt;/a&gt;"
    assert comparison.curves({name: EPOCHS}, "val_loss", "Loss", ["#111111"]).data[0].name == escaped
    assert charts.class_counts({"test": {name: 1}}, [name]).data[0].name == "&lt;a href='ht…org'&gt;x&lt;/a&gt;"
    assert charts.probabilities({name: 1.0}, [name]).data[0].hovertext == (escaped,)
    roc = probability_curves.roc([name, "b"], {name: np.array([1.0, 0.0])}, [name, "b"])
    assert roc.data[1].name == "&lt;a href='http:…le.org'&gt;x&lt;/a&gt;"


def test_a_class_keeps_its_colour_where_only_some_are_shown():
    names = ["a", "b", "c"]
    styles = palette.class_styles(names)
    assert charts.probabilities({"c": 0.9}, names).data[0].marker.color == (styles["c"].colour,)
    figure = probability_curves.roc(["a", "c"], {"c": np.array([0.1, 0.9])}, names)
    assert figure.data[1].line.color == styles["c"].colour and figure.layout.showlegend is False


@pytest.mark.parametrize(
    ("text", "most", "short"), [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc…fg"), ("abcdefgh", 5, "ab…gh")]
)
def test_text_loses_its_middle(text, most, short):
    assert formatting.shortened(text, most) == short


def test_lists_of_many_classes_are_cut():
    assert formatting.class_list([f"c{k}" for k in range(12)]) == "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, 2 more"
    six = {f"c{k}": 0.1 for k in range(5)} | {"best": 0.5}
    assert formatting.probabilities(six) == "best 50% · c0 10% · c1 10% · c2 10% · c3 10%"
    assert formatting.probabilities({"a": 0.25, "b": 0.75}) == "a 25% · b 75%"
