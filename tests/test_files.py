import pytest

from cxrcore import files
from cxrcore.errors import UserError


def test_a_failed_write_keeps_the_old_content_and_leaves_nothing_behind(tmp_path):
    target = tmp_path / "a.json"
    files.write_json(target, {"old": 1})
    with pytest.raises(UserError, match="the disk is full"), files.atomic_path(target) as temporary:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")
    assert files.read_json(target) == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_other_failures_pass_through(tmp_path):
    with pytest.raises(PermissionError), files.atomic_path(tmp_path / "a") as temporary:
        temporary.touch()
        raise PermissionError(13, "no")
    assert list(tmp_path.iterdir()) == []


def test_a_line_still_being_written_is_not_read(tmp_path):
    path = tmp_path / "events.jsonl"
    files.append_line(path, {"epoch": 1})
    with path.open("a") as file:
        file.write('{"epoch": 2')
    assert files.read_lines(path) == [{"epoch": 1}]
    files.append_line(path, {"epoch": 3, "note": "one\u2028two"})  # the crash that left half a line is over
    assert files.read_lines(path) == [{"epoch": 1}, {"epoch": 3, "note": "one\u2028two"}]
    assert files.read_lines(tmp_path / "none") == []
