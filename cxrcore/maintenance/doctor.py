"""What is wrong in a workspace, and repairs that lose nothing."""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import psutil
from filelock import Timeout

from cxrcore import runs, schema, settings
from cxrcore.data import dataset, staging
from cxrcore.errors import DamagedFileError, NewerFileError, UnreadableFileError, UserError
from cxrcore.jobs import processes, queue, run_process, tasks
from cxrcore.maintenance import leftovers
from cxrcore.messages import Message, msg, some
from cxrcore.runs import EVENTS, FINISHED, LIVE, RUNNING, WHOLE_MODEL_FILE, ProcessId, Run, process_id
from cxrcore.sweeps import sweep
from cxrcore.training.run_recorder import PAUSE_FILE, STOP_FILE

LEAST_FREE = 10**9  # bytes of disk
# Of a finished run, beside what it is listed by.
_NEEDED = "about.json", "metrics.json", "table.parquet", "predictions.parquet", EVENTS
_FOLDERS = "datasets", "runs", "sweeps"
END_SECONDS = 2.0  # in which a process ends that has written its last status


@dataclass(frozen=True)
class Problem:
    """Something wrong: in words, where, and what repairs it without loss, None where a person has to decide."""

    message: Message
    path: Path
    repair: Callable[[], object] | None = None


def check() -> list[Problem]:
    """Return what is wrong in the workspace; nothing is changed."""
    return list(_unreadable_folders()) or [
        problem
        for part in (_folder, _damaged, _files, _dead, _orphans, _requests, _leftovers, _images)
        for problem in part()
    ]


def repair(problems: list[Problem]) -> list[Problem]:
    """Repair what is safe to repair; return what is wrong afterwards.

    Raises:
        UserError: nothing may be changed here.
    """
    settings.require_writable()
    for problem in problems:
        if problem.repair:
            with suppress(OSError):  # it is named again
                problem.repair()
    return check()


def _unreadable_folders() -> Iterator[Problem]:
    """Folders of the workspace in which nothing can be checked."""
    for folder in (settings.home(), *(settings.home() / name for name in _FOLDERS)):
        try:
            os.scandir(folder).close()
        except FileNotFoundError:
            continue
        except OSError as error:
            yield Problem(UnreadableFileError(folder, error).message, folder)


def _folder() -> Iterator[Problem]:
    home = settings.home()
    if not home.is_dir():
        return
    features = settings.features_folder()
    for folder in (home, features, *(home / name for name in _FOLDERS)):
        if folder.is_dir() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield Problem(msg("The folder cannot be written."), folder)
    disks = {folder.stat().st_dev: folder for folder in (features, home) if folder.is_dir()}
    for folder in disks.values():
        if (free := shutil.disk_usage(folder).free) < LEAST_FREE:
            text = msg("Only {free} MB of the disk are free. `cxr gc` lists what can be deleted.", free=free // 10**6)
            yield Problem(text, folder)
    try:
        if not settings.read_only() and os.access(home, os.W_OK):
            with run_process.lock().acquire(timeout=2):
                pass
    except Timeout:
        yield Problem(msg("Another process has held the lock of the queue for 2 seconds."), home / "jobs.lock")


def _damaged() -> Iterator[Problem]:
    for run in runs.damaged():
        yield Problem(msg("Run {name} is damaged: {reason}", name=run.name, reason=run.message), _place(run.name))
    for name, reason in dataset.damaged().items():
        text = msg("Dataset {name} is damaged: {reason}", name=name, reason=reason)
        yield Problem(text, settings.datasets_folder() / name)
    for found in sweep.damaged():
        text = msg("Sweep {name} is damaged: {reason}", name=found.name, reason=found.message)
        yield Problem(text, settings.home() / "sweeps" / found.name)


def _files() -> Iterator[Problem]:
    """Files that cannot be read, of what can be opened, and those that a finished run lacks."""
    for run in runs.listing():
        paths = [path for path in run.folder.rglob("[!.]*") if _reader(path)]
        if run.status.state == FINISHED:
            model = WHOLE_MODEL_FILE if (run.folder / WHOLE_MODEL_FILE).exists() else run.model_name
            paths += [path for name in (*_NEEDED, model) if (path := run.folder / name) not in paths]
        for reason, path in _unreadable(paths):
            yield Problem(msg("Run {name} is damaged: {reason}", name=run.name, reason=reason), path)
    for found in sweep.listing():
        from cxrcore.sweeps import search  # and Optuna, which takes long to import

        try:
            search.study(found)
        except UserError as error:
            text = msg("Sweep {name} is damaged: {reason}", name=found.name, reason=error.message)
            yield Problem(text, found.journal)
    for name in dataset.names():
        for reason, path in _unreadable((settings.datasets_folder() / name).glob("[!.]*.*")):
            yield Problem(msg("Dataset {name} is damaged: {reason}", name=name, reason=reason), path)


def _unreadable(paths: Iterable[Path]) -> Iterator[tuple[Message, Path]]:
    for path in sorted(paths):
        try:
            if reader := _reader(path):
                reader(path)
        except UserError as error:
            yield error.message, path
        except (OSError, ValueError, EOFError, BadZipFile):
            yield msg("{path} is missing or damaged.", path=path), path


def _reader(path: Path) -> Callable[[Path], object] | None:
    return _READERS.get(path.name, _READERS.get(path.suffix))


def _read_archive(path: Path) -> None:
    with ZipFile(path) as archive:
        if archive.testzip():
            raise BadZipFile


def _read_events(path: Path) -> None:
    """Raise `ValueError` for events of which the pages leave out a line, and those of a finished run that are cut."""
    run, content = Run(path.parent), path.read_bytes()
    epochs, events = run.epochs, run.events
    is_cut = run.status.state == FINISHED and not (epochs and content.endswith(b"\n"))
    if is_cut or content.count(b"\n") > len(epochs) + len(events):
        raise ValueError(path)


# By suffix or name. The edits of a dataset are read with its table, see `dataset.damaged`.
_READERS: dict[str, Callable[[Path], object]] = {
    ".json": schema.read_versioned,
    ".parquet": schema.read_table,
    ".npy": partial(np.load, mmap_mode="r"),
    ".npz": _read_archive,
    ".keras": _read_archive,
    EVENTS: _read_events,
}


def _dead() -> Iterator[Problem]:
    """Runs and tasks that are marked as running although their process has ended."""
    for run in runs.listing():
        if queue.is_dead(run, run.status):
            text = msg("Run {name} is marked as running, but its process has ended.", name=run.name)
            yield Problem(text, run.folder, queue.mark_dead)
    for place, task in _tasks():
        try:
            kept, now = tasks.TaskStatus.read(tasks.file(place.folder, task)), tasks.status(place, task)
        except (NewerFileError, UnreadableFileError) as error:  # the task may be alive
            if not isinstance(place, Run):  # `_files` names those of runs
                yield Problem(error.message, tasks.file(place.folder, task))
            continue
        except DamagedFileError as error:
            yield Problem(error.message, tasks.file(place.folder, task), tasks.file(place.folder, task).unlink)
            continue
        except FileNotFoundError:
            continue
        if now and kept.state == RUNNING and now.state != RUNNING:
            text = msg("The task {task} is marked as running, but its process has ended.", task=task)
            yield Problem(text, tasks.file(place.folder, task), _write(now, tasks.file(place.folder, task)))


def _orphans() -> Iterator[Problem]:
    """Workers of this workspace that no status names."""
    unnamed = [(pid, work) for pid, work in _workers() if not _is_named(pid, work)]
    if unnamed:
        time.sleep(END_SECONDS)
    for pid, work in unnamed:
        folder = Path(work[2])
        text = msg("Process {pid} works on {folder}, which does not name it.", pid=pid.pid, folder=folder.name)
        if processes.alive(pid, work) and not _is_named(pid, work):
            yield Problem(text, folder, _killer(pid, work))


def _requests() -> Iterator[Problem]:
    """Requests to stop or pause a run that has ended."""
    for run in runs.listing():
        for name in (STOP_FILE, PAUSE_FILE):
            if run.status.state not in LIVE and (path := run.folder / name).exists():
                text = msg("Run {name} has ended; a request to it is left.", name=run.name)
                yield Problem(text, path, _remover(path))


def _leftovers() -> Iterator[Problem]:
    for folder in staging.interrupted():
        name = folder.name.removeprefix(dataset.REPLACED)
        text = msg("Dataset {name} is hidden: its replacement was interrupted.", name=name)
        yield Problem(text, folder, partial(staging.put_back, folder))
    for path in leftovers.temporary():
        yield Problem(msg("What an interrupted write left behind."), path, _remover(path))
    for path in leftovers.shards():
        yield Problem(
            msg("Cached features that cannot be read; they are computed again when needed."), path, _remover(path)
        )


def _images() -> Iterator[Problem]:
    for name in dataset.names():
        table = dataset.load(name).usable
        if missing := [Path(path).name for path in table["path"] if not Path(path).is_file()]:
            text = msg(
                "Image files of {name} are missing: {n} of {all} ({files}).",
                name=name, n=len(missing), all=len(table), files=some(missing, 3),
            )  # fmt: skip
            yield Problem(text, settings.datasets_folder() / name)


def _tasks() -> Iterator[tuple[Run | sweep.Sweep, str]]:
    places: list[Run | sweep.Sweep] = [*runs.listing(), *sweep.listing()]
    for place in places:
        for path in sorted((place.folder / "tasks").glob("[!.]*.json")):
            yield place, path.stem


def _workers() -> Iterator[tuple[ProcessId, list[str]]]:
    """Yield the processes that work on a folder of this workspace, with the end of their command line."""
    for found in psutil.process_iter():
        try:
            line = found.cmdline()
            start = next((k for k, word in enumerate(line) if word in processes.MODULES), 0)
            if start > 1 and len(line) > start + 1 and settings.home() in Path(line[start + 1]).parents:
                yield process_id(found.pid), line[start - 1 :]
        except psutil.Error:
            continue


def _is_named(pid: ProcessId, work: list[str]) -> bool:
    folder = Path(work[2])
    try:
        status = Run(folder).status if len(work) == 3 else tasks.TaskStatus.read(tasks.file(folder, work[3]))
    except (UserError, OSError):
        return False
    return status.state == RUNNING and status.pid == pid.pid


def _place(name: str) -> Path:
    return settings.runs_folder() / name


def _write(status: tasks.TaskStatus, path: Path) -> Callable[[], object]:
    return lambda: status.write(path)


def _killer(pid: ProcessId, work: list[str]) -> Callable[[], object]:
    return lambda: processes.kill(pid, work)


def _remover(path: Path) -> Callable[[], object]:
    """Return what removes a file, a folder, or a link but not what it leads to."""
    return lambda: shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
