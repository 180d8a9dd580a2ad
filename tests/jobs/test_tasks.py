"""Audits as processes of their own: they end, fail and are stopped without their page."""

import os
import signal
import time

from cxrcore.files import write_json
from cxrcore.jobs import processes, tasks
from cxrcore.runs import process


def _ended(run, task, seconds=120):
    deadline = time.monotonic() + seconds
    while (found := tasks.status(run, task)) and found["state"] == "running":
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_a_task_leaves_its_result_and_nothing_else(trained):
    tasks.start(trained, "shortcut")
    assert tasks.status(trained, "shortcut")["pid"] != os.getpid()
    assert _ended(trained, "shortcut") is None
    assert trained.shortcut["verdict"] == "none found" and not (trained.folder / "tasks" / "shortcut.json").exists()


def test_a_task_that_cannot_be_done_says_why(trained):
    trained.model_file.unlink()
    assert tasks.main(trained.folder, "faithfulness") == 2
    assert "has no model" in tasks.status(trained, "faithfulness")["message"]


def test_a_killed_task_is_said_to_have_failed_and_can_be_started_again(trained):
    tasks.start(trained, "faithfulness")
    first = tasks.status(trained, "faithfulness")["pid"]
    tasks.start(trained, "faithfulness")
    assert tasks.status(trained, "faithfulness")["pid"] == first, "one at a time"
    os.kill(first, signal.SIGKILL)
    found = _ended(trained, "faithfulness")
    assert found["state"] == "failed" and "was killed" in found["message"]
    tasks.start(trained, "faithfulness")
    again = tasks.status(trained, "faithfulness")
    assert again["state"] == "running" and again["pid"] != first
    tasks.stop(trained, "faithfulness")
    assert tasks.status(trained, "faithfulness") is None and not processes.alive(again)


def test_progress_is_written_while_it_goes(trained, monkeypatch):
    seen = []

    def work(folder, listen):
        listen("heatmaps", 3, 10)
        seen.append(tasks.status(trained, "shortcut"))

    monkeypatch.setitem(tasks.TASKS, "shortcut", work)
    write_json(trained.folder / "tasks" / "shortcut.json", {"state": "running"} | process())
    assert tasks.main(trained.folder, "shortcut") == 0
    assert (seen[0]["stage"], seen[0]["done"], seen[0]["total"]) == ("heatmaps", 3, 10)
    assert tasks.status(trained, "shortcut") is None
