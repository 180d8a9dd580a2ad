"""What a server uses: disk by folder, memory, and what waits."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from cxrcore import settings
from cxrcore.jobs import queue, worker_pool
from cxrcore.runs import RUNNING, listing

LOW_DISK, LOW_MEMORY = 5 * 10**9, 10**9  # bytes: a run with large feature maps needs as much
FOLDERS = ("datasets", "downloads", "features", "runs", "sweeps", "logs")


@dataclass(frozen=True)
class ServerState:
    """Memory and free space in bytes, and how many runs and computations of pages run or wait.

    `free_disk` is that of the disk of the workspace or of the cached features, whichever has less.
    """

    free_disk: int
    free_memory: int
    server_memory: int
    worker_memory: int
    running: int
    queued: int
    computations: int


def read() -> ServerState:
    """Return the state of this server."""
    server = psutil.Process(os.getpid())
    return ServerState(
        free_disk=min(
            shutil.disk_usage(_existing(folder)).free for folder in (settings.home(), settings.features_folder())
        ),
        free_memory=psutil.virtual_memory().available,
        server_memory=server.memory_info().rss,
        worker_memory=sum(_memories(server)),
        running=sum(run.status.state == RUNNING for run in listing()),
        queued=len(queue.waiting()),
        computations=worker_pool.pool().waiting,
    )


def folder_sizes() -> dict[str, int]:
    """Return the bytes in each folder of the workspace, wherever it is."""
    elsewhere = {"features": settings.features_folder()}
    return {name: sum(_sizes(elsewhere.get(name, settings.home() / name))) for name in FOLDERS}


def _sizes(folder: Path) -> Iterator[int]:
    for path in folder.rglob("*"):
        try:
            if path.is_file() and not path.is_symlink():
                yield path.stat().st_size
        except FileNotFoundError:  # removed in the meantime
            continue


def _memories(server: psutil.Process) -> Iterator[int]:
    for process in server.children(recursive=True):
        try:
            yield process.memory_info().rss
        except psutil.NoSuchProcess:
            continue


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
