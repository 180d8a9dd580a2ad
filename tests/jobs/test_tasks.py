"""Audits and checks as processes of their own: they end, fail and are stopped without their page."""

import os
import shutil
import signal
import time

import psutil

from cxrcore import sealing
from cxrcore.audits import shortcut
from cxrcore.config import run_config
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.jobs import processes, tasks
from cxrcore.messages import msg
from cxrcore.progress import Step
from cxrcore.runs import process_id
from cxrcore.sweeps import plan, search, sweep


def _ended(run, task, seconds=120):
    deadline = time.monotonic() + seconds
    while (found := tasks.status(run, task)) and found.state == "running":
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_finished_task_leaves_only_its_result(trained):
    tasks.start(trained, "shortcut")
    assert tasks.status(trained, "shortcut").pid != os.getpid()
    assert _ended(trained, "shortcut") is None
    assert not shortcut.load(trained).is_shortcut
    assert not (trained.folder / "tasks" / "shortcut.json").exists()


def test_failed_task_has_a_message(trained):
    trained.model_file.unlink()
    assert tasks.main(trained.folder, "faithfulness") == 2
    assert "has no model" in str(tasks.status(trained, "faithfulness").message)


def test_killed_task_has_failed_and_can_be_started_again(trained):
    tasks.start(trained, "faithfulness")
    first = tasks.status(trained, "faithfulness").pid
    tasks.start(trained, "faithfulness")
    assert tasks.status(trained, "faithfulness").pid == first, "one at a time"
    os.kill(first, signal.SIGKILL)
    found = _ended(trained, "faithfulness")
    assert found.state == "failed" and "was killed" in str(found.message)
    tasks.start(trained, "faithfulness")
    again = tasks.status(trained, "faithfulness")
    assert again.state == "running" and again.pid != first
    tasks.stop(trained, "faithfulness")
    assert tasks.status(trained, "faithfulness") is None and not processes.alive(again)


def test_task_of_another_machine_is_alive_by_its_file_and_asked_to_stop(trained, monkeypatch):
    log = trained.folder / "tasks" / "faithfulness.log"
    log.parent.mkdir()
    log.touch()
    tasks.TaskStatus(state="running", host="another", pid=1).write(tasks.file(trained.folder, "faithfulness"))
    os.utime(log, (time.time() - 50,) * 2)
    assert tasks.status(trained, "faithfulness").state == "running"
    tasks.start(trained, "faithfulness")
    tasks.stop(trained, "faithfulness")
    assert tasks.status(trained, "faithfulness").host == "another"
    os.utime(log, (time.time() - 70,) * 2)
    assert tasks.status(trained, "faithfulness").state == "failed"

    reports = []

    def work(folder, progress):
        for _ in range(3):
            reports.append(_)
            progress(Step("", 0, 1))

    monkeypatch.setattr(tasks, "_WRITE_SECONDS", -1)
    monkeypatch.setitem(tasks.TASKS, "faithfulness", work)
    assert tasks.main(trained.folder, "faithfulness") == 0
    assert reports == [0] and tasks.status(trained, "faithfulness") is None
    assert tasks.main(trained.folder, "faithfulness") == 0
    assert reports == [0, 0, 1, 2]


def test_sweep_reads_weights_from_permitted_folders_only(phantom, tmp_path, monkeypatch):
    """As a run does: the file of a sweep may have been replaced, or its plan edited, since the form was checked."""
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("CXR_DATA_ROOTS", str(tmp_path / "root"))
    ends = {}
    for place in (tmp_path, tmp_path / "root"):
        file = place / "tiny.weights.h5"
        shutil.copy(BUNDLED_WEIGHTS, file)
        base = run_config.make(dataset="phantom", size=64, head="gap", epochs=1, weights="file", weights_file=str(file))
        made = sweep.create(
            f"in-{place.name}",
            plan.make({"base": base.plain(), "trials": 1, "settings": {"head": {"choices": ("gap", "probe")}}}),
        )
        assert tasks.main(made.folder, "sweep") == 0
        (ends[place.name],) = search.study(made).get_trials()
    assert ends["root"].state.name == "COMPLETE"
    refused = ends[tmp_path.name]
    message = sealing.unseal(refused.user_attrs["message"])
    assert refused.state.name == "FAIL" and "in a folder that this dashboard may read" in message


def test_progress_is_written_during_the_task(trained, monkeypatch):
    seen = []

    monkeypatch.setattr(tasks, "work", lambda place, task: psutil.Process().cmdline())  # this process stands for one

    def shortcut_task(folder, progress):
        progress(Step(msg("border of {width} px only", width=28), 3, 10, 2, 8, 40.0))
        seen.append(tasks.status(trained, "shortcut"))

    monkeypatch.setitem(tasks.TASKS, "shortcut", shortcut_task)
    status = tasks.TaskStatus(state="running", **process_id().model_dump())
    status.write(trained.folder / "tasks" / "shortcut.json")
    assert tasks.main(trained.folder, "shortcut") == 0
    assert str(seen[0].stage) == "border of 28 px only" and (seen[0].done, seen[0].total) == (3, 10)
    assert (seen[0].number, seen[0].steps, seen[0].seconds_left) == (2, 8, 40.0)
    assert tasks.status(trained, "shortcut") is None
