"""Relabel, exclude, restore, undo; versions that old runs keep."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxrcore.data import dataset, editing, versions
from cxrcore.errors import UserError


def test_edits_make_versions_and_undo_takes_back_the_last(phantom):
    editing.relabel("phantom", [0, 1], "NORMAL")
    data = editing.exclude("phantom", [2])
    assert data.version == 3 and data.table["label"][0] == "NORMAL" and len(data.usable) == 59
    data = editing.undo("phantom")
    assert data.version == 4 and len(data.usable) == 60 and data.table["label"][0] == "NORMAL"
    data = editing.undo("phantom")
    assert data.table["label"].tolist() == phantom.table["label"].tolist()
    with pytest.raises(UserError, match="no edit of 'phantom' to undo"):
        editing.undo("phantom")
    assert editing.history(data) == [
        "images relabelled to NORMAL: 2", "images excluded: 1", "undid the last edit", "undid the last edit",
    ]  # fmt: skip


def test_every_version_can_be_had_again(phantom):
    editing.exclude("phantom", [0])
    editing.exclude("phantom", [1])
    assert [len(dataset.load("phantom", version).usable) for version in (1, 2, 3, 0)] == [60, 59, 58, 58]
    with pytest.raises(UserError, match=r"expected 1 to 3\. Received: 4"):
        dataset.load("phantom", 4)


def test_an_excluded_image_can_be_used_again(phantom):
    editing.exclude("phantom", [5], "near-duplicate")
    assert dataset.load("phantom").left_out["left_out"].tolist() == ["excluded: near-duplicate"]
    assert len(editing.restore("phantom", [5]).usable) == 60


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda: editing.relabel("phantom", [0], "Healthy"), "expected one of COVID, NORMAL"),
        (lambda: editing.exclude("phantom", [60]), "expected numbers from 0 to 59"),
        (lambda: editing.exclude("phantom", []), "Received: none"),
        (lambda: editing.exclude("phantom", range(60)), "exclude every image"),
    ],
)
def test_wrong_edits_are_refused(phantom, edit, message):
    with pytest.raises(UserError, match=message):
        edit()
    assert dataset.load("phantom").version == 1


def test_what_was_never_opened_cannot_be_restored(phantom, home):
    import pandas as pd

    table = pd.read_parquet(phantom.folder / "table.parquet")
    table.loc[0, ["sha256", "left_out"]] = ["", "unreadable: cut off"]
    table.to_parquet(phantom.folder / "table.parquet")
    with pytest.raises(UserError, match="cannot be used as it is"):
        editing.restore("phantom", [0])


def test_a_run_keeps_what_it_saw_and_names_the_version(trained):
    editing.exclude("phantom", [0, 1, 2])
    assert trained.config["dataset_version"] == 1 and len(trained.table) == 60


LINES = st.lists(
    st.one_of(
        st.just({"do": "undo"}),
        st.builds(lambda rows: {"do": "exclude", "reason": "x", "rows": rows}, st.lists(st.integers(0, 4), max_size=3)),
        st.builds(lambda rows: {"do": "restore", "rows": rows}, st.lists(st.integers(0, 4), max_size=3)),
    ),
    max_size=12,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LINES, st.integers(0, 4))
def test_an_edit_and_its_undo_change_nothing(lines, row):
    import pandas as pd

    table = pd.DataFrame({"label": list("abcde"), "left_out": [""] * 5})
    before = versions.applied(table, lines)
    more = [*lines, {"do": "exclude", "reason": "y", "rows": [row]}]
    assert versions.applied(table, more)["left_out"][row] == "excluded: y"
    assert versions.applied(table, [*more, {"do": "undo"}]).equals(before)
