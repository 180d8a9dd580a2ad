"""Faults at random moments of a small workload, see `benchmarks.faults --moments`.

A workspace on a small tmpfs has finished runs. A server, a process of its own, keeps runs in the queue and an import
under way, audits and explains a finished run, and edits a dataset. After a random time one fault happens; then pages
and processes are checked, what failed is continued, and the next fault follows. After some faults the workspace is
repaired, and everything must come to its end; what is wrong then counts for the last one.
"""

import hashlib
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock

import psutil

from benchmarks.faults import BAD, DAMAGES, GOOD
from benchmarks.warm_processes import SERVER, WarmProcesses
from cxrcore import runs, settings
from cxrcore.config import run_config
from cxrcore.data import dataset, editing, importing
from cxrcore.errors import UserError
from cxrcore.jobs import control, processes, queue, run_process, tasks
from cxrcore.maintenance import doctor, leftovers
from cxrcore.runs import FAILED, FINISHED, LIVE, RUNNING

SIZE, LONGEST, PATIENCE = "300m", 2.5, 90.0
FAULTS_OF_ONE_WORKSPACE = 8
TASKS = "shortcut", "faithfulness"
IMPORTS = 40  # datasets that a server imports, one after another
# Nothing writes these once a run has finished.
RESULTS = ("config.json", "about.json", "metrics.json", "status.json", "table.parquet", "predictions.parquet")


def serve(started: Sequence[str]) -> None:
    """Do what the server of a workspace does when people use it, and start these tasks."""
    threading.Thread(target=_import_all, daemon=True).start()
    number = 0
    while os.getppid() != 1:
        number += 1
        for action in (_submit, _edit, partial(_audit, started)):
            try:
                action(number)
                queue.dispatch()
            except (UserError, OSError):
                pass  # shown to the user
            except Exception:
                traceback.print_exc()
            time.sleep(0.05)


def _submit(number: int) -> None:
    if sum(run.status.state in LIVE for run in runs.listing()) < 2:
        options = {"head": "logistic"} if number % 2 else {"head": "gap", "epochs": 20}
        queue.submit(run_config.make(dataset=GOOD, size=64, seed=number, **options))


def _edit(number: int) -> None:
    if number % 5 == 1:
        editing.exclude(BAD, [number // 5 % 20])


def _import_all() -> None:
    while os.getppid() != 1 and (names := _not_imported()):
        try:
            _import(names[0])
        except (UserError, OSError):
            time.sleep(0.1)
        except Exception:
            traceback.print_exc()


def _not_imported() -> list[str]:
    return [name for name in (f"import-{number}" for number in range(IMPORTS)) if not dataset.exists(name)]


def _import(name: str) -> None:
    """Import a dataset, or continue its import."""
    importing.import_folders([settings.home() / "source"], name)


def _audit(started: Sequence[str], number: int) -> None:
    if number % 2 == 0 and number <= 2 * len(started):
        oldest = [run for run in runs.listing() if run.status.state == FINISHED][-1]
        tasks.start(oldest, started[number // 2 - 1])


@dataclass
class Workspace:
    """A workspace with its processes."""

    home: Path
    template: Path
    rng: random.Random
    warm: WarmProcesses
    started: Sequence[str]  # tasks, by the server
    server: int = 0
    finished: dict[str, str] = field(default_factory=dict)  # digests of `RESULTS` by the names of runs
    damaged: Path | None = None  # the folder of a run or dataset, until it is restored
    file: str = ""  # that is damaged in it
    under_way: str = ""  # when the last fault came

    def workers(self) -> list[psutil.Process]:
        """Return the processes of runs and tasks of the workspace."""
        return [psutil.Process(pid.pid) for pid, _ in doctor._workers()]

    def serve(self) -> None:
        """Start the server, unless it is there."""
        if not (self.server and psutil.pid_exists(self.server)):
            self.server = self.warm.start(SERVER, *self.started)

    def end_server(self) -> None:
        """End the server if it is there."""
        if psutil.pid_exists(self.server):
            os.kill(self.server, signal.SIGKILL)
        while psutil.pid_exists(self.server):
            time.sleep(0.01)

    def restore(self) -> None:
        """Put the dataset or run that was damaged back as it was in the template, or take it away."""
        if self.damaged is None:
            return
        folder, self.damaged = self.damaged, None
        kept = self.template / folder.relative_to(self.home)
        if folder.parent.name == "runs":
            for process, work in doctor._workers():
                if Path(work[2]) == folder:
                    processes.kill(process, work)
        shutil.rmtree(folder)
        if kept.exists():
            shutil.copytree(kept, folder)
        if folder.parent.name == "runs":
            self.finished.pop(folder.name, None)
            runs.known(now=True)  # the list of runs may be some seconds old


Fault = Callable[[Workspace], None]


def _signal(number: int, server: bool, worker: bool) -> Fault:
    def fault(place: Workspace) -> None:
        targets = [psutil.Process(place.server)] if server else []
        for process in [*targets, *(place.workers() if worker else [])]:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue

    return fault


def _disk_full(place: Workspace) -> None:
    with (place.home / "filler").open("wb") as file:
        try:
            while True:
                file.write(bytes(2**20))
                file.flush()
        except OSError:
            pass
    time.sleep(1.5)
    (place.home / "filler").unlink()


def _read_only(place: Workspace) -> None:
    """What is opened from now on is on a mount that is read-only; files that are open for writing remain so."""
    home, aside = str(place.home), tempfile.mkdtemp(prefix="cxr-moment-")  # where nothing is opened for writing
    _mount("--bind", home, aside)
    _mount("-o", "remount,bind,ro", aside)
    _mount("--bind", aside, home)
    time.sleep(1.5)
    for folder in (home, aside):
        subprocess.run(["umount", "-l", folder], check=True)
    Path(aside).rmdir()


def _file(damage: str) -> Fault:
    def fault(place: Workspace) -> None:
        folders = [*(place.home / "runs").glob("[!.]*"), *(place.home / "datasets" / name for name in (BAD, GOOD))]
        files = [path for folder in folders for path in folder.iterdir() if path.suffix not in ("", ".lock")]
        path = place.rng.choice(sorted(path for path in files if path.is_file()))
        place.damaged, place.file = path.parent, path.name
        DAMAGES[damage](path)

    return fault


def _clock(place: Workspace) -> None:
    """What is kept in seconds since 1970 is as after a step of the clock by some days."""
    step = place.rng.uniform(-1e6, 1e6)
    with run_process.lock():
        for run in runs.listing():
            status = run.status
            if status.state in LIVE:
                changes = {"started": status.started + step, "stage_started": status.stage_started + step}
                run_process.write_status(run, status, **changes)


FAULTS: dict[str, Fault] = {
    "kill -9 worker": _signal(signal.SIGKILL, False, True),
    "kill -9 server": _signal(signal.SIGKILL, True, False),
    "kill -9 both": _signal(signal.SIGKILL, True, True),
    "SIGTERM worker": _signal(signal.SIGTERM, False, True),
    "SIGTERM server": _signal(signal.SIGTERM, True, False),
    "disk full": _disk_full,
    "read-only": _read_only,
    "clock step": _clock,
    **{f"file {name}": _file(name) for name in ("truncated", "emptied", "missing", "a list")},
}


def run_moments(
    kinds: Sequence[str],
    seed: int,
    template: Path,
    check_pages: Callable[[], list[str]],
    until: float = math.inf,
    mounted: bool = True,
    started: Sequence[str] = TASKS,
) -> list[str]:
    """Do the faults in turn, print a table, and return what is wrong.

    Args:
        kinds: names of `FAULTS`, one a moment.
        seed: of the random times and files.
        template: a workspace with finished runs, and the datasets `bad` and `good`.
        check_pages: returns what is wrong with the pages.
        until: no fault is begun after this time, in seconds since 1970.
        mounted: whether the workspace is a small tmpfs, which needs root; needed for the faults of disks.
        started: the tasks that the server starts.
    """
    found: list[str] = []
    tried: Counter[str] = Counter()
    survived: Counter[str] = Counter()
    leftovers.SETTLED_SECONDS = doctor.LEAST_FREE = 0  # the disk is small, and all that writes is ended before
    warm = WarmProcesses()
    try:
        for first in range(0, len(kinds), FAULTS_OF_ONE_WORKSPACE):
            if time.time() > until:
                break
            numbers = range(first, min(len(kinds), first + FAULTS_OF_ONE_WORKSPACE))
            place = Workspace(_made(template, mounted), template, random.Random(f"{seed} {first}"), warm, started)
            try:
                for number in numbers:
                    kind = kinds[number]
                    begun = time.monotonic()
                    wrong = _moment(place, kind, check_pages)
                    is_last = number == numbers[-1] or time.time() > until
                    if is_last:
                        wrong += _ended(place, check_pages)
                    tried[kind] += 1
                    survived[kind] += not wrong
                    found += wrong
                    text = "; ".join(wrong) or "survived"
                    seconds = time.monotonic() - begun
                    line = f"{number}: {kind}: {place.under_way}: {seconds:.1f} s: {text}"
                    print(line, file=sys.stderr, flush=True)
                    if is_last:
                        break
            finally:
                _remove(place, mounted)
    finally:
        warm.close()
    print(f"{'fault':20} {'moments':>8} {'survived':>9}")
    for kind in tried:
        print(f"{kind:20} {tried[kind]:8} {survived[kind]:9}")
    print(f"{'all':20} {tried.total():8} {survived.total():9}")
    return found


def _made(template: Path, mounted: bool) -> Path:
    home = Path(tempfile.mkdtemp(prefix="cxr-moment-"))
    if mounted:
        _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(home))
    os.environ["CXR_HOME"] = str(home)
    for name in ("datasets", "runs", "features"):
        shutil.copytree(template / name, home / name)
    for path in (home / "datasets" / BAD / "images").iterdir():
        folder = home / "source" / path.name.partition("_")[0]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    return home


def _remove(place: Workspace, mounted: bool) -> None:
    place.end_server()
    for process, work in doctor._workers():
        processes.kill(process, work)
    if mounted:
        subprocess.run(["umount", "-l", str(place.home)], check=False)
    shutil.rmtree(place.home)


def _moment(place: Workspace, kind: str, check_pages: Callable[[], list[str]]) -> list[str]:
    """Return what is wrong after a fault, and after the repair."""
    place.serve()
    end = time.monotonic() + PATIENCE
    while not place.workers() and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(place.rng.uniform(0.2, LONGEST))
    place.finished |= {
        run.name: _results(run.folder)
        for run in runs.listing()
        if run.status.state == FINISHED and run.name not in place.finished
    }
    is_importing = any((place.home / "datasets").glob(".importing-*/found.jsonl"))
    place.under_way = f"{len(place.workers())} processes, {'an' if is_importing else 'no'} import"
    FAULTS[kind](place)
    time.sleep(0.2)
    step = place.rng.uniform(-1e6, 1e6) if kind == "clock step" else 0.0
    started = psutil.Process.create_time
    with mock.patch.object(psutil.Process, "create_time", lambda process: started(process) + step):
        wrong = check_pages()
        place.end_server()
        queue.dispatch()
        wrong += _untrue(place)
        if kind == "clock step" and not place.workers() and any(r.status.state in LIVE for r in runs.listing()):
            wrong.append("the worker was taken for dead")
    named = {run.name for run in runs.damaged()} | set(dataset.damaged())
    hurt = place.damaged.name if place.damaged else ""
    wrong += [f"{name} is damaged" for name in named - {hurt}]
    if hurt in place.finished and place.file in RESULTS:
        told = [str(problem.message) for problem in doctor.check()]
        if not any(hurt in text and place.file in text for text in told):
            wrong.append(f"nothing names {place.file} of the finished run {hurt} as damaged")
    for name, before in place.finished.items():
        if name != hurt and _results(place.home / "runs" / name) != before:
            wrong.append(f"the finished run {name} was changed")
    place.restore()
    return wrong + _continued(place)


def _results(folder: Path) -> str:
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in RESULTS)).hexdigest()


def _untrue(place: Workspace) -> list[str]:
    """Return the runs whose status is not true, and the workers that none names."""
    wrong = []
    for run in runs.listing():
        status = run.status
        if status.state == RUNNING and queue.is_dead(run, status):
            wrong.append(f"{run.name} is marked as running, but is not")
    wrong += [str(problem.message) for problem in doctor._orphans() if problem.path != place.damaged]
    for name in dataset.names():
        if name.startswith("import-") and len(dataset.load(name).usable) != len(_source(place)):
            wrong.append(f"{name} was imported in part")
    return wrong


def _source(place: Workspace) -> list[Path]:
    return list((place.home / "source").glob("*/*"))


def _continued(place: Workspace) -> list[str]:
    """Continue what failed; return what cannot be."""
    wrong = []
    for run in runs.listing():
        if run.status.state == FAILED:
            try:
                control.continue_run(run)
            except UserError as error:
                wrong.append(f"{run.name} ({run.status.message}) is not continued: {error}")
        for task in TASKS:
            if (found := tasks.status(run, task)) and found.state == FAILED:
                tasks.start(run, task)
    for _ in range(10):  # a run that ends starts the next some milliseconds later
        queue.dispatch()
        states = {run.status.state for run in runs.listing()}
        if not LIVE & states or RUNNING in states:
            return wrong
        time.sleep(0.2)
    return [*wrong, "the queue does not go on"]


def _ended(place: Workspace, check_pages: Callable[[], list[str]]) -> list[str]:
    """Wait for the end of everything; return what is wrong then."""
    wrong: list[str] = []
    for name in _not_imported()[:1]:
        _import(name)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not wrong:
        wrong += _continued(place)
        found = runs.listing()
        working = any(tasks.status(run, task) for run in found for task in TASKS)
        if not working and not LIVE & {run.status.state for run in found}:
            break
        time.sleep(0.3)
    for run in runs.listing():
        if run.status.state != FINISHED:
            wrong.append(f"{run.name} is {run.status.state}: {run.status.message}")
        wrong += [f"{task} of {run.name}: {status.message}" for task in TASKS if (status := tasks.status(run, task))]
    wrong += _untrue(place)
    wrong += [str(problem.message) for problem in doctor.repair(doctor.check())]
    wrong += [f"process {pid.pid} is left" for pid, _ in doctor._workers()]
    return wrong + check_pages()


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)
