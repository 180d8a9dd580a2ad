"""Datasets on disk: those of version 1, and damaged ones."""

import errno
import json
import os
import re
import shutil

import pytest

from cxrcore import schema, settings, watched
from cxrcore.audits.dataset import audit
from cxrcore.data import dataset, editing, exclusions, staging
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.errors import DamagedFileError, NewerFileError, UserError
from cxrcore.maintenance import doctor
from cxrcore.messages import msg
from tests import workspace_v1


def test_version_1_datasets_open_with_all_versions(home):
    workspace_v1.extract(home)
    assert dataset.names() == ["demo", "elsewhere"] and dataset.damaged() == {}
    data = dataset.load("demo")
    assert data.version == 2 and len(data.usable) == 17 and len(dataset.load("demo", 1).usable) == 18
    assert data.left_out_counts() == {"excluded": 1}
    assert exclusions.reason(data.left_out["left_out_reason"][0]) == msg("by hand")
    assert data.info.phantom.planted_class == "COVID" and data.info.sources[0].layout == "phantom"
    assert str(editing.history(data)[0]) == "images excluded: 1"
    assert len(editing.undo("demo").usable) == 18


def test_version_1_audit_opens(home):
    workspace_v1.extract(home)
    found = audit.load(dataset.load("demo"))
    assert (found.version, found.n, found.issues, found.missing_files) == (2, 17, [], 0)
    probe = found.statistics_probe
    assert probe.accuracy.value == pytest.approx(9 / 17) and probe.accuracy.low == pytest.approx(5 / 17)
    assert probe.border.value == pytest.approx(8 / 17) and probe.chance == pytest.approx(6 / 17)
    assert audit.run(dataset.load("demo")).n == 17


def test_version_1_audit_with_issues(phantom):
    found = {"kind": "confound", "what": "source", "sentence": "Every COVID image comes from one source.", "rows": [0]}
    old = {"dataset": "phantom", "version": 1, "n": 60, "findings": [found], "tables": {}, "cramers_v": {}}
    old |= {"source_probe": None, "small_classes": {}, "gone": 2}
    (phantom.folder / audit.FILE).write_text(json.dumps(old))
    read = audit.load(phantom)
    assert read.issues[0].kind == "confounder" and str(read.issues[0].sentence) == found["sentence"]
    assert str(audit.title(read.issues[0])) == "Possible confounder: source" and read.missing_files == 2


def test_version_1_reasons_become_codes_and_messages(phantom):
    path = phantom.folder / dataset.TABLE
    table = schema.read_table(path)[0].drop(columns="left_out_reason")
    same = "repeated: the same picture is in the dataset already"
    table.loc[:2, "left_out"] = ["view: L (not frontal)", "finding: SARS", same]
    table.to_parquet(path)
    data = dataset.load("phantom")
    assert data.left_out["left_out"].tolist() == ["view", "finding", "repeated"]
    reasons = [str(exclusions.reason(stored)) for stored in data.left_out["left_out_reason"]]
    assert reasons[:2] == ["L (not frontal)", "no class is assigned to the finding SARS"]
    assert reasons[2] == str(exclusions.SAME_IMAGE)
    assert [issue.what for issue in audit.run(data).issues] == ["left out already"]


def test_datasets_are_written_with_the_schema_version(phantom):
    editing.exclude("phantom", [0])
    audit.run(phantom)
    for name in (dataset.INFO, audit.FILE):
        assert json.loads((phantom.folder / name).read_text())[schema.KEY] == schema.VERSION
    assert json.loads((phantom.folder / "edits.jsonl").read_text())[schema.KEY] == schema.VERSION
    assert all(schema.read_table(phantom.folder / name)[1] == 2 for name in (dataset.TABLE, dataset.MEASURES))


DAMAGE = {
    dataset.INFO: ["", '{"sources": [', "[]", '{"some": "file of another program"}'],
    dataset.TABLE: ["", "PAR1"],
    "edits.jsonl": ["hello\n", "[1]\n", '{"do": "explode"}\n', '{"do": "exclude", "rows": [999]}\n'],
}


@pytest.mark.parametrize(("name", "content"), [(name, text) for name, texts in DAMAGE.items() for text in texts])
def test_damaged_dataset_is_listed_and_the_others_open(phantom, name, content):
    shutil.copytree(phantom.folder, phantom.folder.with_name("other"))
    assert dataset.names() == ["other", "phantom"]
    (phantom.folder / name).write_text(content)
    assert dataset.names() == ["other"] and len(dataset.load("other").table) == 60
    ((damaged, problem),) = dataset.damaged().items()
    assert damaged == "phantom" and name in str(problem)
    with pytest.raises(DamagedFileError, match=name):
        dataset.load("phantom")
    assert dataset.free_name("phantom") == "phantom-2"
    with pytest.raises(UserError, match="exists already"):
        staging.check_name_is_free("phantom")
    dataset.delete("phantom")
    assert dataset.damaged() == {} and not phantom.folder.exists()


def test_changes_of_this_process_are_listed_at_once(phantom, monkeypatch):
    monkeypatch.setattr(watched, "SECONDS", 1000.0)
    assert dataset.names() == ["phantom"]
    first = dataset.known()
    assert dataset.known() is first
    editing.exclude("phantom", [0])
    assert dataset.known() is not first
    phantoms.create("another", patients=2)
    assert dataset.names() == ["another", "phantom"]
    dataset.delete("phantom")
    assert dataset.names() == ["another"]
    shutil.copytree(settings.datasets_folder() / "another", settings.datasets_folder() / "copied")
    assert dataset.names() == ["another"]  # a change that another program might make is seen after the interval
    monkeypatch.setattr(watched, "SECONDS", 0.0)
    assert dataset.names() == ["another", "copied"]


@pytest.mark.parametrize("name", [dataset.INFO, dataset.TABLE])
def test_missing_file_is_damage(phantom, name):
    (phantom.folder / name).unlink()
    assert dataset.names() == [] and f"{name} is missing" in str(dataset.damaged()["phantom"])
    with pytest.raises(UserError, match="exists already"):
        staging.check_name_is_free("phantom")
    with pytest.raises(DamagedFileError, match=f"{name} is missing"):
        dataset.load("phantom")


@pytest.mark.parametrize("name", [dataset.INFO, dataset.TABLE, "edits.jsonl"])
def test_folder_in_place_of_a_file_is_damage(phantom, name):
    (phantom.folder / name).unlink(missing_ok=True)
    (phantom.folder / name).mkdir()
    assert f"{phantom.folder / name} is " in str(dataset.damaged()["phantom"])


def test_newer_dataset_is_refused_with_a_message(phantom):
    path = phantom.folder / dataset.INFO
    path.write_text(json.dumps(json.loads(path.read_text()) | {schema.KEY: 99}))
    with pytest.raises(NewerFileError, match="newer version of this program"):
        dataset.load("phantom")
    assert list(dataset.damaged()) == ["phantom"]


def test_damaged_audit_does_not_damage_the_dataset(phantom):
    (phantom.folder / audit.FILE).write_text('{"findings": [')
    assert dataset.names() == ["phantom"]
    with pytest.raises(DamagedFileError, match=audit.FILE):
        audit.load(phantom)
    (phantom.folder / dataset.MEASURES).write_text("damaged")
    assert audit.run(phantom).n == 60 and audit.load(phantom).n == 60


@pytest.mark.parametrize("name", ["CON", "con", "nul.v1", "COM1", "lpt9.a.b", "demo.", "demo.."])
def test_name_that_windows_cannot_use_is_refused(name):
    with pytest.raises(UserError, match="Windows has no such folders"):
        staging.check_name_is_free(name)


@pytest.mark.parametrize("name", ["con", "v1.", "nul.v1"])
def test_dataset_that_has_such_a_name_already_opens_and_can_be_edited_replaced_and_deleted(phantom, name):
    phantom.folder.rename(phantom.folder.with_name(name))
    assert dataset.names() == [name] and dataset.load(name).counts() == phantom.counts()
    editing.exclude(name, [0])
    assert dataset.load(name).version == 2
    staging.check_name_is_free(name, replace=True)
    with pytest.raises(UserError, match="exists already"):
        staging.check_name_is_free(name)
    dataset.delete(name)
    with pytest.raises(UserError, match="There is no dataset"):
        dataset.load(name)
    with pytest.raises(UserError, match="Windows has no such folders"):
        staging.check_name_is_free(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a", "a\\b", "C:", "a\0", "a" * 65])
def test_name_that_leaves_the_folder_is_not_opened_or_deleted(phantom, name):
    for use in (dataset.load, dataset.delete, dataset.check_name, staging.check_name_is_free):
        with pytest.raises(UserError, match="A dataset's name has up to 64 letters"):
            use(name)


@pytest.mark.parametrize("name", ["contrast", "auxiliary.v1", "com10", "v1.0", "a-con"])
def test_name_like_one_that_windows_cannot_use_is_accepted(name):
    assert dataset.check_new_name(name) == name


@pytest.mark.parametrize("line", ["[" * 3000, '{"do": "relabel", "rows": [0], "label": "\\ud800"}'])
def test_edit_that_no_page_could_show_is_damage(phantom, line):
    (phantom.folder / "edits.jsonl").write_text(line + "\n")
    assert dataset.names() == [] and "edits.jsonl is damaged" in str(dataset.damaged()["phantom"])
    with pytest.raises(DamagedFileError, match=r"edits\.jsonl is damaged"):
        dataset.load("phantom")


@pytest.mark.parametrize("name", [dataset.INFO, dataset.TABLE, "edits.jsonl"])
def test_link_to_itself_in_place_of_a_file_is_named_until_it_is_gone(phantom, name):
    shutil.copytree(phantom.folder, phantom.folder.with_name("other"))
    path = phantom.folder / name
    hidden = phantom.folder / ".hidden"
    assert dataset.names() == ["other", "phantom"]
    if path.exists():
        path.rename(hidden)
    path.symlink_to(name)
    assert dataset.names() == ["other"] and dataset.exists("phantom")
    assert str(dataset.damaged()["phantom"]) == f"{path} is not readable: {os.strerror(errno.ELOOP)}."
    path.unlink()
    if hidden.exists():
        hidden.rename(path)
    assert dataset.names() == ["other", "phantom"]


def test_dataset_that_may_not_be_read_is_named_until_it_may(phantom, denied):
    shutil.copytree(phantom.folder, phantom.folder.with_name("other"))
    with denied(phantom.folder):
        assert dataset.names() == ["other"]
        text = f"{phantom.folder / 'dataset.json'} is not readable: Permission denied."
        assert str(dataset.damaged()["phantom"]) == text
        with pytest.raises(UserError, match=re.escape(text)):
            dataset.load("phantom")
        assert dataset.free_name("phantom") == "phantom-2"
    assert dataset.names() == ["other", "phantom"]


def test_file_that_may_not_be_read_is_named_until_it_may(phantom, monkeypatch):
    def refused(path, *args):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (phantom.folder / "edits.jsonl").touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        assert "edits.jsonl is not readable: Permission denied." in str(dataset.damaged()["phantom"])
    assert dataset.names() == ["phantom"]


def test_folder_of_the_datasets_that_may_not_be_read_is_named(phantom, denied):
    folder = phantom.folder.parent
    with denied(folder):
        for look in (dataset.names, dataset.damaged, lambda: dataset.load("phantom")):
            with pytest.raises(UserError, match=f"{folder}.* is not readable: Permission denied"):
                look()
        assert [str(problem.message) for problem in doctor.check()] == [f"{folder} is not readable: Permission denied."]
    assert dataset.names() == ["phantom"] and doctor.check() == []


def test_key_that_may_not_be_looked_at_damages_no_dataset_without_names(phantom, denied, monkeypatch, tmp_path):
    monkeypatch.setenv("CXR_KEY_FILE", str(tmp_path / "keys" / "key"))
    with denied(tmp_path / "keys"):
        assert dataset.names() == ["phantom"] and dataset.damaged() == {}
