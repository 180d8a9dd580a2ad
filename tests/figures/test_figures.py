import pytest

from cxrcore.figures import charts, confusion_matrix, palette

CLASSES = ["COVID", "NORMAL", "OTHER INFECTION"]
EPOCHS = [
    {"epoch": 1, "accuracy": 0.5, "val_accuracy": 0.6, "loss": 1.0, "val_loss": 0.9},
    {"epoch": 2, "accuracy": 0.7, "val_accuracy": 0.8, "loss": 0.7, "val_loss": 0.6},
]


def test_curves_show_both_parts_on_an_axis_that_does_not_move():
    figure = charts.curves(EPOCHS, "accuracy", "Accuracy", planned=80, kept=2)
    assert [list(trace.y) for trace in figure.data] == [[0.5, 0.7], [0.6, 0.8]]
    assert list(figure.layout.xaxis.range) == [0.5, 80.5]
    assert figure.layout.shapes[0].x0 == 2


MATRIX = [[9, 1, 0], [0, 5, 5], [0, 0, 0]]


def test_the_confusion_matrix_has_counts_and_shares():
    figure = confusion_matrix.confusion(MATRIX, CLASSES, confusion_matrix.BY_TRUE, ink="#111111")
    assert figure.data[0].z[0].tolist() == pytest.approx([0.9, 0.1, 0.0])
    assert figure.data[0].z[2].tolist() == [0, 0, 0]  # an empty class is no division by zero
    assert figure.data[1].text[:2] == ("<b>9</b><br>90%", "<b>1</b><br>10%")
    by_predicted = confusion_matrix.confusion(MATRIX, CLASSES, confusion_matrix.BY_PREDICTED, ink="#111111")
    assert by_predicted.data[0].z[0].tolist() == pytest.approx([1.0, 1 / 6, 0.0])


def test_a_cell_a_row_and_a_column_of_the_matrix_say_what_they_choose():
    marks = confusion_matrix.confusion(MATRIX, CLASSES, confusion_matrix.COUNT, ink="#111111").data[2]
    chosen = {(x, y): tuple(choice) for x, y, choice in zip(marks.x, marks.y, marks.customdata, strict=True)}
    assert chosen[1, 0] == ("COVID", "NORMAL")  # a COVID called NORMAL
    assert chosen[-1, 0] == ("COVID", "")  # the name of the first row: all true COVID
    assert chosen[2, -1] == ("", "OTHER INFECTION")
    assert len(chosen) == 9 + 3 + 3


@pytest.mark.parametrize("size", [2, 10])
def test_the_matrix_has_room_for_two_to_ten_classes(size):
    names = [f"class {k}" for k in range(size)]
    figure = confusion_matrix.confusion([[1] * size] * size, names, confusion_matrix.COUNT, ink="#111111")
    assert len(figure.data[2].x) == size * size + 2 * size
    assert 44 * (size + 1) <= figure.layout.height <= 800  # a square that can be clicked has 44 pixels


def test_classes_keep_their_colour_in_any_company():
    assert palette.class_colours(["NORMAL", "X"])["NORMAL"] == palette.class_colours(CLASSES)["NORMAL"]
    ten = [f"c{k}" for k in range(7)] + CLASSES
    assert len(set(palette.class_colours(ten).values())) == 10


def test_bars_count_classes_by_group():
    figure = charts.class_counts({"train": {"COVID": 3}, "test": {"COVID": 1, "NORMAL": 2}}, CLASSES)
    assert [list(trace.x) for trace in figure.data] == [[3, 1], [0, 2], [0, 0]]
