"""Tables of runs are read once, and again when they have changed."""

import pytest

from cxrcore import schema
from cxrcore.errors import DamagedFileError


@pytest.fixture
def reads(monkeypatch):
    """Return the names of the files that were read."""
    found, read = [], schema.read_table
    monkeypatch.setattr(schema, "read_table", lambda path: found.append(path.name) or read(path))
    return found


def test_read_once_until_it_changes(trained, reads):
    first = trained.table
    assert trained.table.equals(first)
    assert reads == ["table.parquet"]
    trained.write_table("table.parquet", first.assign(label="changed"))
    assert set(trained.table["label"]) == {"changed"}
    assert reads == ["table.parquet"] * 2


def test_a_change_of_what_was_returned_is_not_kept(trained):
    first = trained.table
    first["label"] = "changed"
    first.loc[first.index[0], "split"] = "changed"
    assert "changed" not in {*trained.table["label"], *trained.table["split"]}


def test_names_are_not_shown_without_the_key(trained, tmp_path, monkeypatch):
    known = set(trained.table["patient"])
    monkeypatch.setenv("CXR_KEY_FILE", str(tmp_path / "absent.key"))
    hidden = trained.table["patient"]
    assert hidden.str.startswith(schema.LOCKED).all()
    assert not known & set(hidden)


def test_a_table_that_is_gone_is_not_shown(trained):
    assert len(trained.table)
    (trained.folder / "table.parquet").unlink()
    with pytest.raises(DamagedFileError):
        _ = trained.table
