import pytest

from cxrcore.inference.labels import class_indices


def test_class_indices_are_positions_in_the_list_of_classes():
    found = class_indices(["B", "A", "B"], ["A", "B", "C"])
    assert found.tolist() == [1, 0, 1] and found.dtype == "int64"
    assert class_indices([], ["A"]).shape == (0,)


def test_unknown_label_raises():
    with pytest.raises(ValueError, match="Received: \\['D'\\]"):
        class_indices(["A", "D"], ["A", "B"])
