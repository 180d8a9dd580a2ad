"""Atomic writes and files of JSON lines."""

import io
import os
from pathlib import Path

import pandas as pd
import pytest

from cxrcore import files
from cxrcore.errors import UserError


def test_failed_write_keeps_the_old_content_and_leaves_no_other_file(tmp_path):
    target = tmp_path / "a.json"
    files.write_json(target, {"old": 1})
    with pytest.raises(UserError, match="the disk is full"), files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")
    assert target.read_text() == '{\n  "old": 1\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_other_errors_are_passed_on(tmp_path):
    with pytest.raises(PermissionError), files.atomic_path(tmp_path / "a") as temporary:
        temporary.touch()
        raise PermissionError(13, "no")
    assert list(tmp_path.iterdir()) == []


def test_content_is_on_the_disk_before_it_replaces_the_old_one(tmp_path, monkeypatch):
    """Else a loss of power after the rename would leave an empty file under the name."""
    steps, fsync, replace = [], os.fsync, Path.replace

    def recorded_fsync(descriptor):
        steps.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def recorded_replace(path, target):
        steps.append(("replace", path))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(Path, "replace", recorded_replace)
    files.write_text(tmp_path / "a.txt", "new")
    (_, temporary), *_ = steps
    assert temporary.parent == tmp_path and temporary.name != "a.txt"
    assert steps == [("fsync", temporary), ("replace", temporary), ("fsync", tmp_path)]


def test_nothing_is_written_where_the_dashboard_is_read_only(tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    for write in (lambda path: files.write_text(path, "x"), lambda path: files.append_line(path, 1)):
        with pytest.raises(UserError, match="nothing can be changed"):
            write(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_line_still_being_written_is_not_read(tmp_path):
    path = tmp_path / "events.jsonl"
    files.append_line(path, {"epoch": 1})
    with path.open("a") as file:
        file.write('{"epoch": 2')
    assert files.read_lines(path) == [{"epoch": 1}]
    files.append_line(path, {"epoch": 3, "note": "one\u2028two"})  # the half line of a crash is cut off
    assert files.read_lines(path) == [{"epoch": 1}, {"epoch": 3, "note": "one\u2028two"}]
    assert files.read_lines(tmp_path / "none") == []


def test_json_nested_more_deeply_than_any_file_is_refused():
    for depth, opening, closing in ((100, "[", "]"), (50, '{"a":[', "]}")):
        assert files.parse_json(opening * depth + closing * depth)
    for depth, opening, closing in ((101, "[", "]"), (51, '{"a":[', "]}"), (100_000, "[", "]"), (100_000, "[", "")):
        with pytest.raises(ValueError, match="nested too deeply"):
            files.parse_json(opening * depth + closing * depth)
    assert len(files.parse_json("[" + "[]," * 1000 + "[]]")) == 1001


@pytest.mark.parametrize("line", ["[" * 3000, '["\\ud800"]', "{"])
def test_line_that_is_not_json_or_cannot_be_written_again_is_an_error(line, tmp_path):
    (tmp_path / "events.jsonl").write_text(f"1\n{line}\n")
    with pytest.raises(ValueError):
        files.read_lines(tmp_path / "events.jsonl")


def test_csv_holds_no_formula():
    columns = {
        "=a": ["=1+1", "+x", "@y", "-2", "a-b", "\tz"],
        "n": [-1, 0, 1, 2, 3, 4],
        "mixed": ["-x", None, 1.5, True, -2, ""],
    }
    lines = files.csv_text(pd.DataFrame(columns)).splitlines()
    assert lines == ["'=a,n,mixed", "'=1+1,-1,'-x", "'+x,0,", "'@y,1,1.5", "-2,2,True", "a-b,3,-2", "'\tz,4,"]


@pytest.mark.parametrize(
    "text",
    ["=1", " =1+1", "\t=1+1", "\r=1+1", "\n=1+1", "\xa0@SUM(A1)", "\ufeff=1+1", "\u200b+1+1", "＝1+1", "＋1+1", "－1+1",
     "＠A1", "\ttext", "\x00-1+1", "-1+1", '=HYPERLINK("https://host.example","a")'],
)  # fmt: skip
def test_csv_marks_what_a_spreadsheet_may_compute_in_cells_and_titles(text):
    column = [text, " a=1", "e=mc", "−1", "a\r=1+1"]
    read = pd.read_csv(io.StringIO(files.csv_text(pd.DataFrame({text: column}))), keep_default_na=False)
    assert list(read.columns) == ["'" + text.replace("\r", "\n")]
    assert list(read.iloc[:, 0]) == [*read.columns, " a=1", "e=mc", "−1", "a\n=1+1"]


def test_csv_marks_categories_and_keeps_numbers():
    table = pd.DataFrame({"c": pd.Categorical(["=a", "b"]), "n": ["-1.5e-3", "+2"]})
    assert files.csv_text(table) == "c,n\n'=a,-1.5e-3\nb,+2\n"
