"""Relabel, exclude, restore, undo; versions of a dataset."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxrcore import schema
from cxrcore.data import dataset, editing, exclusions, versions
from cxrcore.data.versions import Edit
from cxrcore.errors import UserError
from cxrcore.messages import msg


def test_edits_make_versions_and_undo_reverts_the_last(phantom):
    editing.relabel("phantom", [0, 1], "NORMAL")
    data = editing.exclude("phantom", [2])
    assert data.version == 3 and data.table["label"][0] == "NORMAL" and len(data.usable) == 59
    data = editing.undo("phantom")
    assert data.version == 4 and len(data.usable) == 60 and data.table["label"][0] == "NORMAL"
    data = editing.undo("phantom")
    assert data.table["label"].tolist() == phantom.table["label"].tolist()
    with pytest.raises(UserError, match="no edit of 'phantom' to undo"):
        editing.undo("phantom")
    history = ["images relabelled to NORMAL: 2", "images excluded: 1", "undid the last edit", "undid the last edit"]
    assert [str(edit) for edit in editing.history(data)] == history


def test_every_version_can_be_loaded(phantom):
    editing.exclude("phantom", [0])
    editing.exclude("phantom", [1])
    assert [len(dataset.load("phantom", version).usable) for version in (1, 2, 3, 0)] == [60, 59, 58, 58]
    with pytest.raises(UserError, match=r"expected 1 to 3\. Received: 4"):
        dataset.load("phantom", 4)


def test_excluded_image_can_be_restored(phantom):
    editing.exclude("phantom", [5], msg("Near duplicates"))
    row = dataset.load("phantom").left_out.iloc[0]
    assert row["left_out"] == "excluded" and str(exclusions.reason(row["left_out_reason"])) == "Near duplicates"
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
def test_invalid_edits_are_refused(phantom, edit, message):
    with pytest.raises(UserError, match=message):
        edit()
    assert dataset.load("phantom").version == 1


def test_unreadable_image_cannot_be_restored(phantom, home):
    table, _ = schema.read_table(phantom.folder / "table.parquet")
    reason = exclusions.columns("unreadable", msg("the file is truncated"))
    table.loc[0, ["sha256", *reason]] = ["", *reason.values()]
    schema.write_table(phantom.folder / "table.parquet", table)
    with pytest.raises(UserError, match=r"cannot be used as it is \(the file is truncated\)"):
        editing.restore("phantom", [0])


def test_run_keeps_its_dataset_version(trained):
    editing.exclude("phantom", [0, 1, 2])
    assert trained.config.dataset_version == 1 and len(trained.table) == 60


EDITS = st.lists(
    st.one_of(
        st.just(Edit(do="undo")),
        st.builds(Edit, do=st.just("exclude"), rows=st.lists(st.integers(0, 4), max_size=3)),
        st.builds(Edit, do=st.just("restore"), rows=st.lists(st.integers(0, 4), max_size=3)),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS, st.integers(0, 4))
def test_edit_and_undo_change_nothing(edits, row):
    import pandas as pd

    table = pd.DataFrame({"label": list("abcde"), "left_out": [""] * 5, "left_out_reason": [""] * 5})
    before = versions.apply(table, edits)
    more = [*edits, Edit(do="exclude", rows=[row])]
    assert versions.apply(table, more)["left_out"][row] == "excluded"
    assert versions.apply(table, [*more, Edit(do="undo")]).equals(before)


def test_classes_are_renamed_merged_and_reordered_as_versions(phantom):
    before = phantom.counts()
    renamed = editing.change_classes("phantom", {"OTHER INFECTION": "Lobar"}, ["NORMAL", "Lobar", "COVID"])
    assert renamed.classes == ["NORMAL", "Lobar", "COVID"] and renamed.counts()["Lobar"] == before["OTHER INFECTION"]
    assert renamed.positive == ""
    merged = editing.change_classes("phantom", {"Lobar": "Opacity", "COVID": "Opacity"})
    assert merged.counts() == {"NORMAL": before["NORMAL"], "Opacity": before["COVID"] + before["OTHER INFECTION"]}
    assert merged.positive == "Opacity"
    chosen = editing.change_classes("phantom", {}, positive="NORMAL")
    assert chosen.positive == "NORMAL" and dataset.load("phantom", 2).classes == ["NORMAL", "Lobar", "COVID"]
    assert dataset.load("phantom", 1).counts() == before
    swapped = editing.change_classes("phantom", {"NORMAL": "Opacity", "Opacity": "Clear"})
    assert swapped.counts() == {"Opacity": before["NORMAL"], "Clear": merged.counts()["Opacity"]}
    assert swapped.positive == "Opacity"
    for _ in range(3):
        undone = editing.undo("phantom")
    assert undone.classes == ["NORMAL", "Lobar", "COVID"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({"TB": "Flu"},), "class: expected one of COVID, NORMAL, OTHER INFECTION. Received: 'TB'"),
        (({"COVID": ""},), "class name: expected 1 to 60 characters"),
        (
            (dict.fromkeys(["COVID", "NORMAL", "OTHER INFECTION"], "X"),),
            "A dataset needs at least two classes. Received: X",
        ),
        (({}, ["COVID", "NORMAL"]), "order: expected the classes COVID, NORMAL, OTHER INFECTION"),
        (({"COVID": "COVID"},), "The classes are as they were"),
        (({"COVID": "normal", "OTHER INFECTION": "Normal"},), "A dataset needs at least two classes. Received: NORMAL"),
        (({}, (), "TB"), "class: expected one of"),
    ],
)
def test_invalid_changes_of_classes_are_refused(phantom, arguments, message):
    with pytest.raises(UserError, match=message):
        editing.change_classes("phantom", *arguments)
    assert dataset.load("phantom").version == 1
