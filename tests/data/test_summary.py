"""The summary of a dataset: distributions, flow of the images, and examples, from its table."""

import pandas as pd
import pytest

from cxrcore.data import distributions, summary
from cxrcore.data.dataset import Dataset, complete
from cxrcore.data.distributions import Distribution
from cxrcore.data.flow import PartCount
from cxrcore.data.info import DatasetInfo


def _table(rows):
    return complete(pd.DataFrame(rows))


@pytest.fixture
def data(tmp_path):
    """20 images of 10 patients in use, of two classes by turns of patients; 3 are left out."""
    rows = [
        {"label": "AB"[k // 2 % 2], "patient": f"p{k // 2}", "source": "xy"[k // 2 % 2], "width": 300, "sex": "F"}
        for k in range(20)
    ]
    rows += [{"label": "A", "left_out": kind, "sex": "M"} for kind in ("view", "unreadable", "view")]
    table = _table(rows)
    return Dataset("d", tmp_path, table.assign(row=table.index), DatasetInfo(classes=["B", "A"]))


def test_flow_counts_what_is_left_out_included_and_split(data):
    found = summary.summarise(data).flow
    assert (found.identified, found.excluded, found.in_use) == (23, 3, 20)
    assert list(found.left_out.items()) == [("view", 2), ("unreadable", 1)]
    assert list(found.included.items()) == [("B", 10), ("A", 10)]
    # Of 5 patients a class, one is tested and one is validated.
    assert found.parts == {"train": PartCount(12, 6), "validation": PartCount(4, 2), "test": PartCount(4, 2)}


def test_counts_by_source_and_part(data):
    found = summary.summarise(data)
    assert (found.images, found.patients) == (20, 10)
    assert found.sources == {"x": {"A": 10, "B": 0}, "y": {"A": 0, "B": 10}}
    assert found.parts["train"] == {"A": 6, "B": 6} and found.given == {} and found.split_problem is None


def test_no_split_is_a_message(data):
    table = data.table.assign(patient="one")
    found = summary.summarise(Dataset("d", data.folder, table, data.info))
    assert found.flow.parts == {} and found.parts == {} and "too few patients" in found.split_problem.id


def test_examples_are_of_different_patients_if_there_are_enough(data):
    # Only 5 patients: places 0, 1.8, 3.6, 5.4, 7.2 and 9 of the rows 0, 1, 4, 5, 8, 9, 12, 13, 16, 17.
    assert summary.summarise(data).examples["A"] == [0, 4, 8, 9, 13, 17]
    # Rows 0 and 1 are of one patient, the others of 8: places 0, 1.6, 3.2, 4.8, 6.4 and 8 of 0, 4, 5, 8, ..., 17.
    patients = data.table.assign(patient=[f"q{k}" for k in range(23)])
    patients.loc[1, "patient"] = "q0"
    found = summary.summarise(Dataset("d", data.folder, patients, data.info))
    assert found.examples["A"] == [0, 5, 8, 12, 13, 17]


def test_distribution_has_bands_in_order_and_the_share_unknown():
    table = _table(
        {"label": label, "age": age, "width": width, "height": 10}
        for label, age, width in [("A", "80+", 100), ("A", "18-39", 255), ("A", "", 256), ("B", "18-39", 5000)]
    )
    found = distributions.of_table(table, ["A", "B"])
    assert list(found) == ["age", "size"]  # neither sex nor view is known
    assert found["age"] == Distribution(["18-39", "80+"], {"A": [1, 1], "B": [1, 0]}, 0.25)
    assert found["size"] == Distribution(["< 256", "256-511", "4096+"], {"A": [2, 1, 0], "B": [0, 0, 1]}, 0.0)
    assert found["age"].shares("A") == [0.5, 0.5] and found["size"].shares("B") == [0, 0, 1]


def test_rare_values_are_merged():
    table = _table({"label": "A", "view": f"v{k}"} for k in [*range(9), *range(8)])
    found = distributions.of_table(table, ["A"])["view"]
    assert found.values == [*(f"v{k}" for k in range(8)), "…"] and found.counts["A"] == [2] * 8 + [1]


def test_class_against_all_others():
    found = Distribution(["F", "M"], {"A": [1, 2], "B": [3, 4], "C": [5, 6]}, 0.0).against_others("B", "others")
    assert found.counts == {"B": [3, 4], "others": [6, 8]}
