import pandas as pd

from cxrcore.evaluation import metrics, subgroups

CLASSES = ["A", "B"]
TABLE = pd.DataFrame(
    {
        "patient": list("abcdefgh"),
        "label": list("AABBAABB"),
        "predicted": list("AABBABBA"),
        "source": ["x"] * 4 + ["y"] * 4,
        "sex": ["F", "M", "", "unknown", "F", "M", "F", "M"],
        "age": ["40-49"] * 8,
    }
)
TABLE["correct"] = TABLE["label"] == TABLE["predicted"]


def test_each_group_has_the_metrics_of_its_own_rows():
    found = subgroups.evaluate(TABLE, CLASSES)
    assert found["source"]["x"].accuracy.value == 1.0
    assert found["source"]["y"].accuracy.successes == 2
    assert found["source"]["y"] == metrics.evaluate(TABLE.tail(4).reset_index(drop=True), CLASSES)


def test_unknown_values_and_columns_with_one_value_are_left_out():
    found = subgroups.evaluate(TABLE, CLASSES)
    assert set(found) == {"source", "sex"}  # age has one value, view is not there
    assert {value: part.n for value, part in found["sex"].items()} == {"F": 3, "M": 3}


def test_category_without_an_image_is_no_group():
    table = TABLE.assign(source=pd.Categorical(TABLE["source"], ["x", "y", "z"]))
    assert list(subgroups.evaluate(table, CLASSES)["source"]) == ["x", "y"]
