"""A dataset's table is read once and again when a file has changed; what is kept is bounded and never changed."""

from cxrcore import schema
from cxrcore.data import dataset, editing


def reads(monkeypatch):
    found = []
    read = schema.read_table
    monkeypatch.setattr(schema, "read_table", lambda path: found.append(path.parent.name) or read(path))
    return found


def test_an_unchanged_table_is_not_read_again(phantom, monkeypatch):
    dataset.load("phantom")
    found = reads(monkeypatch)
    data = dataset.load("phantom")
    data.table.loc[:, "label"] = "changed by a page"
    assert set(dataset.load("phantom").table["label"]) == set(phantom.table["label"])
    assert dataset.names() == ["phantom"]
    assert found == []


def test_an_edit_and_a_replaced_table_are_seen_at_once(phantom):
    first = phantom.table.loc[0, "label"]
    other = next(name for name in phantom.classes if name != first)
    editing.relabel(phantom.name, [0], other)
    assert dataset.load("phantom").table.loc[0, "label"] == other
    table = schema.read_table(phantom.folder / dataset.TABLE)[0]
    schema.write_table(phantom.folder / dataset.TABLE, table.assign(source="elsewhere"))
    assert set(dataset.load("phantom").table["source"]) == {"elsewhere"}


def test_tables_are_kept_up_to_a_number_of_bytes(phantom):
    cache = dataset._kept.cache
    cache.clear()
    dataset.load("phantom")
    assert 60 * 64 < cache.currsize < 60 * 2000  # each of 60 images has at least its SHA-256
    assert cache.maxsize == 100 * 2**20
