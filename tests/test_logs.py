"""The log: one JSON line for each record, ids of errors, no text of unexpected errors, bounded in size."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cxrcore import logs

pytestmark = pytest.mark.usefixtures("home")


def read():
    return [json.loads(line) for line in (logs.folder() / "cxr.jsonl").read_text().splitlines()]


def fail(name):
    try:
        Path(name, "x.png").read_bytes()
    except OSError as error:
        raise KeyError(name) from error


NAME = "Maria Silva"


def raised():
    try:
        fail(f"/data/{NAME}")
    except KeyError as error:
        return error


def test_record_has_run_session_and_utc_time():
    logs.start(run="r1", session=lambda: "s1")
    logs.LOGGER.info("Run %s", "started")
    (line,) = read()
    assert {name: line[name] for name in ("level", "message", "run", "session")} == {
        "level": "INFO", "message": "Run started", "run": "r1", "session": "s1",
    }  # fmt: skip
    assert line["time"].endswith("+00:00")


def test_unexpected_error_is_found_by_its_id_without_its_text():
    logs.start()
    number = logs.unexpected(raised())
    (line,) = read()
    assert len(number) == 8 and line["error_id"] == number and line["message"] == "Unexpected error: KeyError"
    assert "Silva" not in json.dumps(line) and "x.png" not in line["message"]
    assert "FileNotFoundError: No such file or directory" in line["traceback"] and "in fail" in line["traceback"]
    assert line["traceback"].endswith("KeyError")
    assert [(error.number, error.message) for error in logs.latest_errors(5)] == [(number, line["message"])]


def test_damaged_line_is_no_error_that_is_listed():
    logs.start()
    with (logs.folder() / "cxr.jsonl").open("a") as file:
        file.write('{"error_id": \n["error_id"]\n{"error_id": 1}\n{"error_id": "1", "time": "x", "message": "m"}\n')
        file.write('{"error_id": "1", "time": "2026-01-31T12:00:00+00:00", "message": "\\ud800"}\n')
    number = logs.unexpected(raised())
    assert [error.number for error in logs.latest_errors(5)] == [number]


def test_error_that_was_written_keeps_its_id_and_is_listed_once():
    logs.start()
    error = raised()
    first, second = logs.unexpected(error), logs.unexpected(error)
    assert first == second and len(logs.latest_errors(5)) == 1
    assert ["traceback" in line for line in read()] == [True, False]


def test_log_is_bounded_while_several_processes_write(home, monkeypatch):
    code = (
        "import sys; from cxrcore import logs; logs.MAX_BYTES = 4000; logs.start(run=sys.argv[1])\n"
        "for n in range(100): logs.LOGGER.info('line %s', n)"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, name], stderr=subprocess.PIPE, text=True) for name in ("a", "b")
    ]
    for writer in writers:
        _, error = writer.communicate(timeout=60)
        assert "Traceback" not in error
    files = sorted(path.name for path in logs.folder().glob("cxr.jsonl*"))
    assert files == ["cxr.jsonl", *(f"cxr.jsonl.{n}" for n in range(1, 5))]
    assert all(path.stat().st_size <= 4000 for path in logs.folder().glob("cxr.jsonl*"))
    assert read()[-1]["message"] == "line 99"


def test_workspace_that_cannot_be_written_is_no_error(home, capsys):
    home.write_text("a file")
    logs.start()
    number = logs.unexpected(raised())
    assert json.loads(capsys.readouterr().err)["error_id"] == number


def test_log_of_a_run_keeps_its_last_half(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "RUN_LOG_BYTES", 100)
    path = tmp_path / "log.txt"
    path.write_text("".join(f"line {n:03}\n" for n in range(11)))  # 99 bytes
    logs.bound(path)
    assert path.stat().st_size == 99
    with path.open("a") as file:
        file.write("line 011\n")  # 108 bytes; of the last 50 the first, cut line is left out
        file.flush()
        logs.bound(path)
        assert path.read_text().split() == ["line", "007", "line", "008", "line", "009", "line", "010", "line", "011"]
        file.write("line 012\n")
    assert path.read_text().endswith("line 011\nline 012\n")
