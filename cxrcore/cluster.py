"""Tasks in this process, or on the workers of a Dask cluster. Nothing else imports Dask, and this module only when it
connects.
"""

import os
import platform
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from uuid import uuid4

from cxrcore import __version__, settings
from cxrcore.errors import UserError
from cxrcore.files import write_text
from cxrcore.process import SILENT_SECONDS, heartbeat, is_silent
from cxrcore.settings import Executor

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

_CONNECT_SECONDS = 20
# Between two looks whether the user asked to stop.
_CHECK_SECONDS = 0.5
# Tasks on the scheduler for each thread of the workers: one that is computed and one that follows. The others wait
# here, so that a paused run gives out no more, and the scheduler's memory does not grow with the number of tasks.
_AHEAD = 2
# The resource of workers with a GPU: `dask worker --resources GPU=1`.
GPU = "GPU"


@dataclass(frozen=True)
class Worker:
    """A worker process: its address, how many tasks it computes now and at most, the names of the functions that it was
    given, the processors that it uses, and the memory in bytes that it uses and may use, 0 without a limit.
    """

    address: str
    tasks: int
    threads: int
    functions: tuple[str, ...]
    processors: float
    memory: int
    limit: int


class Cluster:
    """A connection with the scheduler."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def threads(self) -> int:
        """How many tasks the workers that are there now compute at once, 0 as long as there are none."""
        return sum(self._client.nthreads().values())

    @property
    def workers(self) -> list[Worker]:
        """The workers that are there now, by address."""
        from dask.utils import key_split

        given = self._client.processing()  # also what other programs compute on these workers
        return [
            Worker(
                address=address,
                tasks=worker["metrics"]["task_counts"].get("executing", 0),
                threads=worker["nthreads"],
                functions=tuple(sorted(map(key_split, given.get(address, ())))),
                processors=worker["metrics"]["cpu"] / 100,
                memory=worker["metrics"]["memory"],
                limit=worker["memory_limit"] or 0,
            )
            for address, worker in sorted(self._info.items())
        ]

    @property
    def _info(self) -> dict[str, Any]:
        found: dict[str, Any] = self._client.scheduler_info(n_workers=-1)["workers"]
        return found

    @property
    def page(self) -> str:
        """The address of Dask's own page."""
        return str(self._client.dashboard_link)

    def results(
        self, function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], check: Callable[[], None]
    ) -> Generator[ResultT]:
        """Yield what `function` returns for each task, in the order in which they are finished.

        A worker does one task at a time. A task whose worker is lost is given to another one. As long as there are no
        workers, it is waited for them.

        Args:
            function: found by its name in a module of the workers as well.
            tasks: what can be pickled.
            check: called about twice a second; it may wait, or raise to stop. Tasks that have begun then end where
                they look at `is_wanted`, also where this process is killed, else they are finished.

        Raises:
            UserError: a task ended as many workers as the scheduler allows, the scheduler is lost, or a worker has
                another workspace or version than this process.
            Exception: what `function` raised.
        """
        import distributed
        from distributed.comm.core import CommClosedError

        waiting, running = iter(tasks), set[Any]()
        try:
            with _sign() as sign:
                call = _Call(function, sign)
                while True:
                    check()
                    room = _AHEAD * max(1, self.threads) - len(running)
                    running |= {self._submitted(call, task) for task in islice(waiting, max(0, room))}
                    if not running:
                        return
                    with suppress(TimeoutError):
                        distributed.wait(running, _CHECK_SECONDS, "FIRST_COMPLETED")  # type: ignore[no-untyped-call]
                    for future in [future for future in running if future.done()]:
                        running.remove(future)
                        yield future.result()
        except distributed.KilledWorker as error:
            raise UserError(
                "A part of the work ended {count} workers of the cluster one after the other, the last at {worker}. "
                "Often they need more memory. What was finished before is kept.",
                count=error.allowed_failures + 1,
                worker=error.last_worker.address,
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise UserError(
                "The connection with the scheduler {address} was lost. What was finished before is kept.",
                address=settings.dask_scheduler(),
            ) from error

    def start(self, function: Callable[[TaskT, str], None], task: TaskT) -> None:
        """Let a worker call a function that takes long and computes nothing itself, with the task and the scheduler's
        address. It does not keep the worker from other tasks, and goes on after this connection has ended.

        Where workers have the resource GPU, one of them with a free GPU is waited for. The same call that has not ended
        is not made twice, also where another connection has asked for it.
        """
        import distributed
        from dask.tokenize import tokenize

        needs = {GPU: 1} if any(GPU in worker["resources"] for worker in self._info.values()) else None
        call, scheduler = _Call(function), settings.dask_scheduler()
        key = _key(function, tokenize(call, task, scheduler))
        future = self._client.submit(call.beside_others, task, scheduler, key=key, resources=needs)
        distributed.fire_and_forget(future)  # type: ignore[no-untyped-call]

    def _submitted(self, call: "_Call", task: Any) -> Any:
        return self._client.submit(call, task, pure=False, key=_key(call.function, uuid4().hex))


def _key(function: Callable[..., Any], token: str) -> str:
    """Return the name of a task, which Dask's own page groups by what is before the dash."""
    return f"{function.__name__.lstrip('_')}-{token}"


@contextmanager
def _sign() -> Iterator[Path | None]:
    """Yield a file of the workspace that is there, and touched every few seconds, as long as this process waits for
    results; None where it may not write.
    """
    if settings.read_only():
        yield None
        return
    folder = settings.home() / "waiting"
    for file in folder.glob("*"):
        if is_silent(file):  # its process was killed
            file.unlink(missing_ok=True)
    file = folder / uuid4().hex
    write_text(file, "")
    try:
        with heartbeat(file):
            yield file
    finally:
        file.unlink(missing_ok=True)


class _Asker:
    """The process that waits for the result of a task, by the file of its `_sign`."""

    def __init__(self, sign: Path | None) -> None:
        self._sign = sign
        self.is_gone = False

    def waits(self) -> bool:
        """Tell whether it waits still. Once it did not, it never does: the task has ended early."""
        self.is_gone = self.is_gone or (self._sign is not None and is_silent(self._sign))
        return not self.is_gone


# Seeds are set for a whole process.
_one_at_a_time = Lock()
_asker: _Asker | None = None  # of the task that this process computes for a cluster


def is_task() -> bool:
    """Tell whether this process computes a task for a cluster now."""
    return _asker is not None


def is_wanted() -> bool:
    """Tell whether what is computed now is wanted: on a worker, whether the process that asked for the task waits for
    it still. It has ended its work, was stopped, or gave no sign for `SILENT_SECONDS` otherwise.
    """
    return _asker is None or _asker.waits()


@dataclass(frozen=True)
class _Call:
    """A call of `function` on a worker, with the folders and the version of the process that asks, and its `_sign`."""

    function: Callable[..., Any]
    sign: Path | None = None
    home: Path = field(default_factory=settings.home)
    features: Path = field(default_factory=settings.features_folder)
    half_precision: bool = field(default_factory=settings.half_precision)
    version: str = __version__

    def __call__(self, task: Any) -> Any:
        """Call the function, one task at a time; see `check`. One that saw that it is not wanted ends with an error, so
        that a part of it is never taken for its result.
        """
        global _asker
        self.check()
        os.environ["CXR_EXECUTOR"] = Executor.LOCAL  # what a task needs is computed here: the others may be busy
        with _one_at_a_time:
            _asker = asker = _Asker(self.sign)
            try:
                return self.function(task)
            finally:
                _asker = None
                if asker.is_gone:
                    raise UserError(
                        "The worker on {machine} ended a part of the work, as the process that had asked for it gave "
                        "no sign for {seconds} seconds. What was finished before is kept.",
                        machine=platform.node(),
                        seconds=SILENT_SECONDS,
                    )

    def beside_others(self, task: Any, scheduler: str) -> None:
        """Call the function while other tasks are computed; see `check`."""
        import distributed

        distributed.secede()  # type: ignore[no-untyped-call]
        self.check()
        self.function(task, scheduler)

    def check(self) -> None:
        """Raise `UserError` on a worker that would compute something else, or write to another folder."""
        if self.version != __version__:
            raise UserError(
                "The worker on {machine} has version {theirs} of this program, not {ours}.",
                machine=platform.node(),
                theirs=__version__,
                ours=self.version,
            )
        if self.home != settings.home():
            raise UserError(
                "The worker on {machine} uses the workspace {theirs}, not {ours}. Start all workers with "
                "CXR_HOME={ours}.",
                machine=platform.node(),
                theirs=settings.home(),
                ours=self.home,
            )
        if self.features != settings.features_folder():
            raise UserError(
                "The worker on {machine} keeps features in {theirs}, not {ours}. Start all workers with the same "
                "CXR_FEATURES_DIR.",
                machine=platform.node(),
                theirs=settings.features_folder(),
                ours=self.features,
            )
        if self.half_precision != settings.half_precision():
            raise UserError(
                "The worker on {machine} keeps maps in another precision. Start all workers with the same "
                "CXR_HALF_PRECISION.",
                machine=platform.node(),
            )


def results(
    function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], check: Callable[[], None] = lambda: None
) -> Generator[ResultT]:
    """Yield what `function` returns for each task, in this process one after the other, or with `CXR_EXECUTOR=dask` as
    `Cluster.results`. `check` may raise to stop. What has not begun when the generator is closed is dropped.
    """
    if settings.executor() is Executor.DASK:
        with connected() as cluster:
            yield from cluster.results(function, tasks, check)
        return
    for task in tasks:
        check()
        yield function(task)


@contextmanager
def announced(address: str) -> Iterator[None]:
    """Let `settings.dask_scheduler` find this address of a scheduler meanwhile."""
    file = settings.home() / settings.SCHEDULER_FILE
    write_text(file, address + "\n")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


@contextmanager
def connected(seconds: float | None = None) -> Iterator[Cluster]:
    """Yield a connection with the scheduler that `CXR_DASK_SCHEDULER` names. Tasks that have not begun when it ends are
    dropped. `seconds` is how long an answer of the scheduler is waited for, None for some 20.

    Raises:
        UserError: Dask is not installed, or the scheduler cannot be reached.
    """
    address = settings.dask_scheduler()
    try:
        import distributed
    except ImportError as error:
        raise UserError("CXR_EXECUTOR=dask needs Dask. Install it: pip install 'cxrcore[cluster]'") from error
    try:
        client = distributed.Client(address, timeout=seconds or _CONNECT_SECONDS)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise UserError(
            "CXR_DASK_SCHEDULER: no Dask scheduler answers at {address}. Start one with: dask scheduler",
            address=address,
        ) from error
    with client:
        yield Cluster(client)
