"""The process of a run, `python -m cxrcore.jobs.worker FOLDER`, on this machine or on one of a Dask cluster.

Its progress, and the requests to stop and to pause it, are files in the run's folder. A process of a cluster also
touches a file there every few seconds, as other machines cannot see whether it is alive.
"""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from filelock import FileLock

from cxrcore import cluster, settings
from cxrcore.errors import UserError
from cxrcore.jobs import processes
from cxrcore.messages import Message
from cxrcore.process import is_elsewhere, is_silent
from cxrcore.runs import RUNNING, Run, RunStatus, process_id
from cxrcore.settings import Executor
from cxrcore.training.run_recorder import HEARTBEAT_FILE

# Workers of a cluster may be busy with a block or a trial before they start the process of a run.
BEGIN_SECONDS = 600
_CONNECT_SECONDS = 3  # the other pages wait for the lock meanwhile


def lock() -> FileLock:
    """Return the lock under which states of runs change."""
    settings.require_writable()
    settings.home().mkdir(parents=True, exist_ok=True)
    return FileLock(settings.home() / "jobs.lock", timeout=20)


def write_status(run: Run, status: RunStatus, **changes: object) -> None:
    """Replace the status of a run by `status` with these changes."""
    status.model_copy(update=changes).write(run.folder / "status.json")


def submit(run: Run, gpu: str = "") -> None:
    """Start the process of a run that waits, or give it to a worker of the cluster; called under the lock.

    On this machine it sees one GPU, as CUDA_VISIBLE_DEVICES names it, or all for "".

    Raises:
        UserError: the cluster cannot be used, or has no worker.
    """
    if settings.executor() is Executor.DASK:
        with cluster.connected(_CONNECT_SECONDS) as connection:
            if not connection.threads:
                raise UserError("The cluster has no worker yet. The run waits for one.")
            connection.start(_begin, run)
        _mark_started(run, pid=-1)
    else:
        _start(run, gpu=gpu)


def is_to_begin(status: RunStatus) -> bool:
    """Tell whether a running run was given to a worker of the cluster, which has not started its process yet."""
    return status.worker and status.pid == -1


def is_alive(run: Run, status: RunStatus) -> bool:
    """Tell whether the process of a running run is alive, or may still be started by a worker of the cluster.

    Another program, as `cxr train`, has any command line.
    """
    if is_to_begin(status):
        return time.time() - status.started < BEGIN_SECONDS
    if is_elsewhere(status):
        return not is_silent(run.folder / HEARTBEAT_FILE, status.started)
    return processes.alive(status, work(run) if status.worker else None)


def kill(run: Run, status: RunStatus) -> bool:
    """End the process of a run at once; return False if it is on another machine, which nothing is done about."""
    if is_elsewhere(status):
        return False
    processes.kill(status, work(run))
    return True


def work(run: Run) -> list[str]:
    """Return the end of the command line of a run's own process."""
    return processes.command(processes.WORKER, run.folder)


def environment() -> dict[str, str]:
    """Return the environment of a process: the same workspace and the same package, wherever this one was started."""
    package = str(Path(__file__).parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"CXR_HOME": str(settings.home()), "PYTHONPATH": os.pathsep.join(paths)}


def _start(run: Run, host: str = "", gpu: str = "", **variables: str) -> "subprocess.Popen[bytes]":
    """Start the process on this machine, of the name `host` in a cluster, with more variables of the environment."""
    if gpu:
        variables["CUDA_VISIBLE_DEVICES"] = gpu
    with (run.folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(  # nosec B603
            [sys.executable, *work(run)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment() | variables,
            start_new_session=True,  # Ctrl-C of the server does not reach its runs
        )
    # The message is why it waited.
    _mark_started(run, **dict(process_id(process.pid)) | {"host": host, "gpu": gpu, "message": Message(id="")})
    return process


def _mark_started(run: Run, **process: object) -> None:
    now = time.time()
    write_status(
        run,
        run.status,
        state=RUNNING,
        stage="starting",
        stage_started=now,
        started=now,
        worker=True,
        **process,
    )


def _begin(run: Run, scheduler: str) -> None:
    """Start the process of a run on this machine, a worker of the cluster, and wait for its end.

    A run that is continued before its process has ended gets no new task, as this one is still there; so it is started
    here.
    """
    while True:
        with lock():
            status = run.status
            if status.state != RUNNING or status.pid != -1:
                return  # it has ended or was stopped; or this worker is given the task of one that was lost
            process = _start(run, platform.node(), CXR_EXECUTOR=Executor.DASK, CXR_DASK_SCHEDULER=scheduler)
        process.wait()
