import pytest

from cxrcore.report import figures, palette

CLASSES = ["COVID", "NORMAL", "OTHER INFECTION"]
EPOCHS = [
    {"epoch": 1, "accuracy": 0.5, "val_accuracy": 0.6, "loss": 1.0, "val_loss": 0.9},
    {"epoch": 2, "accuracy": 0.7, "val_accuracy": 0.8, "loss": 0.7, "val_loss": 0.6},
]


def test_curves_show_both_parts_on_an_axis_that_does_not_move():
    figure = figures.curves(EPOCHS, "accuracy", "Accuracy", planned=80, kept=2)
    assert [list(trace.y) for trace in figure.data] == [[0.5, 0.7], [0.6, 0.8]]
    assert list(figure.layout.xaxis.range) == [0.5, 80.5]
    assert figure.layout.shapes[0].x0 == 2


def test_the_confusion_matrix_has_counts_and_shares():
    figure = figures.confusion([[9, 1, 0], [0, 5, 5], [0, 0, 0]], CLASSES, normalised=True, ink="#111111")
    assert figure.data[0].z[0].tolist() == pytest.approx([0.9, 0.1, 0.0])
    assert figure.data[0].z[2].tolist() == [0, 0, 0]  # an empty class is no division by zero
    assert figure.data[1].text[:2] == ("<b>9</b><br>90%", "<b>1</b><br>10%")
    assert figure.data[1].x[1] == "NORMAL" and figure.data[1].y[1] == "COVID"  # a COVID called NORMAL
    assert figure.layout.yaxis.autorange == "reversed"


def test_classes_keep_their_colour_in_any_company():
    assert palette.class_colours(["NORMAL", "X"])["NORMAL"] == palette.class_colours(CLASSES)["NORMAL"]
    ten = [f"c{k}" for k in range(7)] + CLASSES
    assert len(set(palette.class_colours(ten).values())) == 10


def test_bars_count_classes_by_group():
    figure = figures.class_counts({"train": {"COVID": 3}, "test": {"COVID": 1, "NORMAL": 2}}, CLASSES)
    assert [list(trace.x) for trace in figure.data] == [[3, 1], [0, 2], [0, 0]]
