"""Faults at random moments of a small workload, see `benchmarks.faults --moments`.

Each moment has a workspace of its own on a small tmpfs: a finished run, and two runs in the queue, which another
process submits as a server does. After a random time one fault happens. Then the workspace is repaired, what failed is
continued, and everything is checked.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.faults import DAMAGES, digest
from cxrcore import runs
from cxrcore.errors import UserError
from cxrcore.jobs import control, queue
from cxrcore.maintenance import doctor, leftovers
from cxrcore.runs import FAILED, FINISHED, LIVE, RUNNING, Run

SIZE, LONGEST, PATIENCE = "400m", 15.0, 240.0
_SERVER = """
import time
from cxrcore.config import run_config
from cxrcore.jobs import queue
for options in ({"head": "gap", "epochs": 30}, {"head": "logistic"}):
    queue.submit(run_config.make(dataset="good", size=64, **options))
while True:
    time.sleep(0.5)
    queue.dispatch()
"""


@dataclass
class Moment:
    """A workspace with its processes."""

    home: Path
    rng: random.Random
    server: subprocess.Popen[bytes]
    damaged: set[str] = field(default_factory=set)  # names of runs

    def workers(self) -> list[psutil.Process]:
        """Return the worker processes of the workspace."""
        found = []
        for run in runs.listing():
            if run.status.state == RUNNING and psutil.pid_exists(run.status.pid):
                found.append(psutil.Process(run.status.pid))
        return found


def _signal(number: int, server: bool, worker: bool) -> Callable[[Moment], None]:
    def fault(moment: Moment) -> None:
        targets = [psutil.Process(moment.server.pid)] if server else []
        for process in [*targets, *(moment.workers() if worker else [])]:
            process.send_signal(number)

    return fault


def _disk_full(moment: Moment) -> None:
    with (moment.home / "filler").open("wb") as file:
        try:
            while True:
                file.write(bytes(2**20))
                file.flush()
        except OSError:
            pass
    time.sleep(3)
    (moment.home / "filler").unlink()


def _read_only(moment: Moment) -> None:
    _mount("-o", "remount,ro", str(moment.home), check=False)  # refused while a file is open for writing
    time.sleep(2)
    _mount("-o", "remount,rw", str(moment.home))


def _file(damage: str) -> Callable[[Moment], None]:
    def fault(moment: Moment) -> None:
        run = moment.rng.choice(sorted((moment.home / "runs").glob("[!.]*")))
        files = sorted(path for path in run.iterdir() if path.is_file() and path.suffix not in ("", ".lock"))
        moment.damaged.add(run.name)
        DAMAGES[damage](moment.rng.choice(files))

    return fault


def _clock(moment: Moment) -> None:
    """What is kept in seconds since 1970 is as after a step of the clock by some days."""
    step = moment.rng.uniform(-1e6, 1e6)
    with queue.lock():
        for run in runs.listing():
            status = run.status
            queue.write_status(run, status, started=status.started + step, stage_started=status.stage_started + step)


FAULTS: dict[str, Callable[[Moment], None]] = {
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


def run_moments(count: int, seed: int, template: Path, check_pages: Callable[[], list[str]]) -> int:
    """Do the faults in turn, print a table, and return how many moments were not survived."""
    tried: Counter[str] = Counter()
    survived: Counter[str] = Counter()
    leftovers.SETTLED_SECONDS = doctor.LEAST_FREE = 0  # nothing else writes, and the disk is small
    for number in range(count):
        kind = list(FAULTS)[number % len(FAULTS)]
        wrong = _moment(kind, random.Random(f"{seed} {number}"), template, check_pages)
        tried[kind] += 1
        survived[kind] += not wrong
        print(f"{number}: {kind}: {'; '.join(wrong) or 'survived'}", file=sys.stderr, flush=True)
    print(f"{'fault':20} {'moments':>8} {'survived':>9}")
    for kind in tried:
        print(f"{kind:20} {tried[kind]:8} {survived[kind]:9}")
    print(f"{'all':20} {tried.total():8} {survived.total():9}")
    return tried.total() - survived.total()


def _moment(kind: str, rng: random.Random, template: Path, check_pages: Callable[[], list[str]]) -> list[str]:
    home = Path(tempfile.mkdtemp(prefix="cxr-moment-"))
    _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(home))
    os.environ["CXR_HOME"] = str(home)
    try:
        for name in ("datasets", "runs", "features"):
            shutil.copytree(template / name, home / name)
        finished = {run.name: digest(run.folder) for run in runs.listing()}
        server = subprocess.Popen([sys.executable, "-c", _SERVER])
        moment = Moment(home, rng, server)
        try:
            time.sleep(rng.uniform(1, LONGEST))
            FAULTS[kind](moment)
            time.sleep(0.5)
        finally:
            server.kill()
            server.wait()
        return _checked(moment, finished, check_pages)
    finally:
        subprocess.run(["umount", "-l", str(home)], check=False)
        home.rmdir()


def _checked(moment: Moment, finished: dict[str, str], check_pages: Callable[[], list[str]]) -> list[str]:
    """Return what is wrong after a fault; the runs are continued to their end."""
    wrong = check_pages()
    continued: set[str] = set()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        queue.dispatch()
        found = {run.name: run.status.state for run in runs.listing()}
        if failed := [name for name, state in found.items() if state == FAILED and name not in continued]:
            continued.add(failed[0])
            try:
                control.continue_run(Run(moment.home / "runs" / failed[0]))
            except UserError as error:
                wrong += [] if failed[0] in moment.damaged else [f"{failed[0]} is not continued: {error}"]
        elif not LIVE & set(found.values()):
            break
        time.sleep(0.3)
    for run in runs.listing():
        if run.status.state != FINISHED and run.name not in moment.damaged:
            wrong.append(f"{run.name} is {run.status.state}: {run.status.message}")
    for name, before in finished.items():
        if name not in moment.damaged and digest(moment.home / "runs" / name) != before:
            wrong.append(f"the finished run {name} was changed")
    named = {run.name for run in runs.damaged()}
    wrong += [f"{name} is damaged" for name in named - moment.damaged]
    left = doctor.repair(doctor.check())
    wrong += [str(problem.message) for problem in left if not any(name in str(problem.message) for name in named)]
    return wrong + check_pages()


def _mount(*arguments: str, check: bool = True) -> None:
    subprocess.run(["mount", *arguments], check=check)
