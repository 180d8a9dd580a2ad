"""The samples of audits: their size, their order, and looks at them."""

import pandas as pd
import pytest

from cxrcore.audits import sample
from cxrcore.config import run_config


def _table(**images_by_class):
    """Rows of patients with two images each."""
    rows = [
        {"label": label, "patient": f"{label}{number // 2}", "path": f"{label}-{number}"}
        for label, count in images_by_class.items()
        for number in range(count)
    ]
    return pd.DataFrame(rows)


def test_size_follows_the_rate_of_the_backbone_within_limits():
    vgg16 = run_config.make(dataset="d", backbone="vgg16")
    # 3.8 images a second at 237 pixels; a quarter of that at twice the side.
    assert sample.size(vgg16, passes=8) == 48 and sample.size(vgg16, passes=2) == 190
    assert sample.size(run_config.make(dataset="d", backbone="vgg16", size=474), passes=2) == 48
    assert sample.size(vgg16, passes=100) == 40
    assert sample.size(run_config.make(dataset="d"), passes=8) == 250


def test_every_prefix_is_stratified_and_has_whole_patients():
    table = _table(a=200, b=100, c=20)
    rows = sample.ordered(table)
    assert sorted(rows["path"]) == sorted(table["path"])
    counts = rows.iloc[:160]["label"].value_counts()
    assert counts["a"] == pytest.approx(100, abs=6) and counts["b"] == pytest.approx(50, abs=6)
    # Five patients of each class come first, so that the smallest class can be cross-validated.
    assert dict(rows.iloc[:30].groupby("label")["patient"].nunique()) == {"a": 5, "b": 5, "c": 5}
    for count in (31, 64, 99):
        first = sample.first(rows, count)
        assert len(first) == count + count % 2 and (first.groupby("patient").size() == 2).all()
    assert sample.ordered(table, seed=0).equals(rows) and not sample.ordered(table, seed=1).equals(rows)


def test_further_images_of_a_patient_come_last():
    table = pd.concat(
        [_table(a=40, b=40), pd.DataFrame([{"label": "a", "patient": "a0", "path": f"{k}"} for k in range(50)])]
    )
    rows = sample.ordered(table)
    assert (rows.iloc[:86]["patient"] == "a0").sum() == sample.PER_PATIENT
    assert (rows.iloc[86:]["patient"] == "a0").all() and len(rows) == 130


def test_looks_grow_until_all_images_are_used():
    rows = sample.ordered(_table(a=60, b=40))
    assert [len(look) for look in sample.looks(rows, [40, 80])] == [40, 80]
    assert [len(look) for look in sample.looks(rows, [60, 120])] == [60, 100]
    assert [len(look) for look in sample.looks(rows, [250, 500])] == [100]
