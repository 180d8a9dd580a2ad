"""Files on disk: their version, damage, and the migration of older ones."""

import json
import os
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from cxrcore import files, i18n, schema
from cxrcore.errors import DamagedFileError, NewerFileError, UserError
from cxrcore.messages import Message, msg
from cxrcore.metric import Metric
from cxrcore.schema import Stored

TABLE = pd.DataFrame({"label": ["a", "b"], "p": [0.25, 0.75]})


class Example(Stored):
    name: str
    accuracy: Metric = Metric(None)
    message: Message = Message(id="")

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        return values | {"name": values.pop("title")}


def _file(tmp_path, content):
    path = tmp_path / "example.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_value_reads_back_equal_and_carries_the_version(tmp_path):
    value = Example(name="x", accuracy=Metric(0.5, 0.2, 0.8, 4, 2), message=msg("{n} images", n=3))
    value.write(tmp_path / "example.json")
    assert Example.read(tmp_path / "example.json") == value
    assert json.loads((tmp_path / "example.json").read_text()) == {
        "schema_version": 2,
        "name": "x",
        "accuracy": {"value": 0.5, "low": 0.2, "high": 0.8, "n": 4, "successes": 2},
        "message": {"id": "{n} images", "values": {"n": 3}},
    }


def test_absent_file(tmp_path):
    assert Example.read_if_present(tmp_path / "none.json") is None
    with pytest.raises(FileNotFoundError):
        Example.read(tmp_path / "none.json")


def test_file_without_a_version_is_migrated(tmp_path):
    assert Example.read(_file(tmp_path, {"title": "old"})).name == "old"
    assert Example.read(_file(tmp_path, {"title": "older", "schema_version": 1})).name == "older"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"schema_version": 2, "name": "tru',
        b"\xff\xfe\x00\x01",
        b"[1, 2]",
        b'"text"',
        b"null",
        b"[" * 100_000,
        b'{"schema_version": 2, "name": "x", "other": ' + b"[" * 101 + b"]" * 101 + b"}",
        b'{"schema_version": 2, "other": 1}',
        b'{"schema_version": 2, "name": ["not", "a", "text"]}',
        b'{"schema_version": "new", "name": "x"}',
        b'{"schema_version": true, "name": "x"}',
        b'{"schema_version": 0, "name": "x"}',
        b'{"something": "else"}',  # the migration of version 1 finds no title
    ],
)
def test_damaged_or_foreign_file(content, tmp_path):
    path = _file(tmp_path, content)
    for read in (Example.read, Example.read_if_present):
        with pytest.raises(DamagedFileError, match=r"example\.json is damaged"):
            read(path)


def test_half_of_a_surrogate_pair_is_damage_and_a_pair_is_a_character(tmp_path):
    for text in (rb"\ud800", rb"\uD83D and \uDE00", rb"a\udfff"):
        with pytest.raises(DamagedFileError, match=r"example\.json is damaged: it holds half of a surrogate pair"):
            Example.read(_file(tmp_path, b'{"schema_version": 2, "name": "%s"}' % text))
    assert Example.read(_file(tmp_path, rb'{"schema_version": 2, "name": "\ud83d\ude00"}')).name == "\U0001f600"


def test_file_that_is_no_regular_one_or_too_large_is_not_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to("loop.json")
    _file(tmp_path, {"schema_version": 2, "name": "x"})
    monkeypatch.setattr(files, "MAX_TEXT_BYTES", 5)
    for name in ("pipe.json", "loop.json", "example.json"):
        for read in (Example.read, Example.read_if_present, schema.read_versioned):
            with pytest.raises(DamagedFileError, match=f"{name} is not readable"):
                read(tmp_path / name)


def test_invalid_value_is_named(tmp_path):
    class Checked(Stored):
        def model_post_init(self, context: Any) -> None:
            raise UserError("epochs: expected 1 to {n}", n=9)

    with pytest.raises(DamagedFileError, match=r"example\.json .*not valid: epochs: expected 1 to 9"):
        Checked.read(_file(tmp_path, {"schema_version": 2}))


def test_file_of_a_newer_version_is_refused(tmp_path):
    path = _file(tmp_path, {"schema_version": 3, "name": "x"})
    with pytest.raises(NewerFileError, match=r"written by a newer version .*schema 3; this one knows 2"):
        Example.read(path)


def test_changed_file_is_read_again(tmp_path):
    path = tmp_path / "example.json"
    for name in ("a", "b", "longer"):
        Example(name=name).write(path)
        os.utime(path, (1, 1))  # all within the clock's resolution
        assert Example.read(path).name == name


def test_table_reads_back_equal_and_carries_the_version(tmp_path):
    path = tmp_path / "table.parquet"
    schema.write_table(path, TABLE)
    found, version = schema.read_table(path)
    pd.testing.assert_frame_equal(found, TABLE)
    assert version == 2 and pq.read_schema(path).metadata[b"schema_version"] == b"2"
    assert [each.name for each in tmp_path.iterdir()] == ["table.parquet"]


def test_table_keeps_its_index_only_if_asked(tmp_path):
    indexed = TABLE.set_index("label")
    schema.write_table(tmp_path / "with.parquet", indexed, index=True)
    schema.write_table(tmp_path / "without.parquet", indexed)
    pd.testing.assert_frame_equal(schema.read_table(tmp_path / "with.parquet")[0], indexed)
    assert list(schema.read_table(tmp_path / "without.parquet")[0].columns) == ["p"]


def test_table_without_a_version_is_version_1(tmp_path):
    TABLE.to_parquet(tmp_path / "table.parquet")
    found, version = schema.read_table(tmp_path / "table.parquet")
    assert version == 1 and found.equals(TABLE)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 is not all PAR1", b"{}"])
def test_damaged_table(content, tmp_path):
    path = tmp_path / "table.parquet"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"table\.parquet is damaged"):
        schema.read_table(path)


def test_truncated_table(tmp_path):
    path = tmp_path / "table.parquet"
    schema.write_table(path, TABLE)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedFileError, match=r"table\.parquet is damaged"):
        schema.read_table(path)


@pytest.mark.parametrize(("version", "error"), [(b"3", NewerFileError), (b"x", DamagedFileError)])
def test_table_of_another_version(version, error, tmp_path, monkeypatch):
    monkeypatch.setattr(schema, "VERSION", version.decode())
    schema.write_table(tmp_path / "table.parquet", TABLE)
    monkeypatch.undo()
    with pytest.raises(error):
        schema.read_table(tmp_path / "table.parquet")


def test_absent_table(tmp_path):
    with pytest.raises(FileNotFoundError):
        schema.read_table(tmp_path / "none.parquet")


def test_metrics_of_version_1_are_migrated_at_any_depth():
    old = {
        "n": 3,
        "accuracy": {"value": 0.5, "ci95": [0.1, 0.9], "n": 2, "successes": 1},
        "rows": [{"ci95": [None, None], "value": None}],
        "probe": {"accuracy": 0.8, "ci95": [0.7, 0.9], "n": 40},
        "odd": {"ci95": "none"},
    }
    assert schema.migrate_metrics(old) == {
        "n": 3,
        "accuracy": {"value": 0.5, "low": 0.1, "high": 0.9, "n": 2, "successes": 1},
        "rows": [{"value": None, "low": None, "high": None}],
        "probe": {"value": 0.8, "low": 0.7, "high": 0.9, "n": 40},
        "odd": {"ci95": "none"},
    }
    assert old["probe"]["ci95"] == [0.7, 0.9], "the old values are unchanged"


@pytest.mark.parametrize(
    "values",
    [
        {"text": "a", "whole": 3, "share": 3.0, "yes": True, "none": None},
        {"list": ["a", 1, 2.5, False]},
        {"inner": msg("the disk is full"), "inners": [msg("the disk is full"), "data"]},
    ],
)
def test_message_reads_back_as_id_and_values(values, tmp_path):
    value = Example(name="x", message=msg(" ".join(f"{{{name}}}" for name in values), **values))
    value.write(tmp_path / "example.json")
    found = Example.read(tmp_path / "example.json").message
    assert found == value.message
    assert {name: type(each) for name, each in found.values.items()} == {
        name: type(each) for name, each in value.message.values.items()
    }


def test_message_of_plain_kinds():
    import numpy as np

    found = msg("{a}", a=np.float64(0.5), b=np.int64(3), c=("x", 1), d=UserError("{n} of {m}", n=1, m=2), e=object)
    assert found.values == {
        "a": 0.5,
        "b": 3,
        "c": ["x", 1],
        "d": msg("{n} of {m}", n=1, m=2),
        "e": "<class 'object'>",
    }
    assert type(found.values["a"]) is float and type(found.values["b"]) is int


def test_message_is_translated_after_reading(tmp_path):
    error = UserError("Run {name!r} is not in the trash any more.", name="x")
    Example(name="x", message=error.message).write(tmp_path / "example.json")
    found = Example.read(tmp_path / "example.json").message
    assert str(found) == "Run 'x' is not in the trash any more."
    i18n.use("pt")
    assert i18n.translate(found).startswith("A execução 'x'")


def test_text_of_version_1_is_shown_as_it_is(tmp_path):
    text = "ValueError: 100 % of {these} failed"
    found = Example.read(_file(tmp_path, {"title": "old", "message": text})).message
    assert str(found) == text
    i18n.use("pt")
    assert i18n.translate(found) == text


def test_table_written_in_parts_is_read_in_parts(tmp_path, monkeypatch):
    whole = pd.DataFrame({"pixels": list("abcde"), "mean": [1.0, 2.0, 3.0, 4.0, 5.0]}, index=list("vwxyz"))
    path = tmp_path / "measures.parquet"
    with schema.table_writer(path) as write:
        write(whole.iloc[:2])
        assert not path.exists()
        write(whole.iloc[2:])
    pd.testing.assert_frame_equal(schema.read_table(path)[0], whole)
    monkeypatch.setattr(schema, "BATCH", 2)
    parts = list(schema.read_batches(path, ["mean"]))
    assert [len(part) for part in parts] == [2, 2, 1]
    pd.testing.assert_frame_equal(pd.concat(parts), whole[["mean"]])
    assert not schema.seal_table(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedFileError):
        list(schema.read_batches(path, ["mean"]))
    with pytest.raises(FileNotFoundError):
        list(schema.read_batches(tmp_path / "none.parquet", ["mean"]))


@pytest.mark.parametrize(
    "text", ["{x.__class__}", "{x:>300000000}", "{x[0]}", "{}", "{0}", "{y}", "{x:.1f}", "{x", "{x:{x}}"]
)
def test_message_of_a_file_has_no_field_but_its_values(text):
    with pytest.raises(ValidationError):
        Message(id=text, values={"x": "a"})
    with pytest.raises(ValidationError):
        Message(id=text, values={"x": None})
    assert str(Message(id=text)) == text  # without values it is taken as it is
