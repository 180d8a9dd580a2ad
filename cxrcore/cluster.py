"""Tasks on the workers of a Dask cluster. Nothing else imports Dask, and this module only when it connects."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from cxrcore import settings
from cxrcore.errors import UserError

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

_CONNECT_SECONDS = 20
# Between two looks whether the user asked to stop.
_CHECK_SECONDS = 0.5
# Tasks on the scheduler for each thread of the workers: one that is computed and one that follows. The others wait
# here, so that a paused run gives out no more, and the scheduler's memory does not grow with the number of tasks.
_AHEAD = 2


@dataclass(frozen=True)
class Worker:
    """A worker process: its address, how many tasks it computes now and at most, and the memory in bytes that it uses
    and may use, 0 without a limit.
    """

    address: str
    tasks: int
    threads: int
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
        found = self._client.scheduler_info()["workers"]
        return [
            Worker(
                address=address,
                tasks=worker["metrics"]["task_counts"].get("executing", 0),
                threads=worker["nthreads"],
                memory=worker["metrics"]["memory"],
                limit=worker["memory_limit"] or 0,
            )
            for address, worker in sorted(found.items())
        ]

    @property
    def page(self) -> str:
        """The address of Dask's own page."""
        return str(self._client.dashboard_link)

    def results(
        self, function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], check: Callable[[], None]
    ) -> Iterator[ResultT]:
        """Yield what `function` returns for each task, in the order in which they are finished.

        A task whose worker is lost is given to another one. As long as there are no workers, it is waited for them.

        Args:
            function: found by its name in a module of the workers as well.
            tasks: what can be pickled.
            check: called about twice a second; it may wait, or raise to stop. Tasks that have begun are then finished.

        Raises:
            UserError: a task ended as many workers as the scheduler allows, or the scheduler is lost.
            Exception: what `function` raised.
        """
        import distributed
        from distributed.comm.core import CommClosedError

        waiting, running = iter(tasks), set[Any]()
        try:
            while True:
                check()
                room = _AHEAD * max(1, self.threads) - len(running)
                running |= {self._client.submit(function, task, pure=False) for task in islice(waiting, max(0, room))}
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


@contextmanager
def connected(seconds: float = _CONNECT_SECONDS) -> Iterator[Cluster]:
    """Yield a connection with the scheduler that `CXR_DASK_SCHEDULER` names. Tasks that have not begun when it ends are
    dropped. `seconds` is how long an answer of the scheduler is waited for.

    Raises:
        UserError: Dask is not installed, or the scheduler cannot be reached.
    """
    address = settings.dask_scheduler()
    try:
        import distributed
    except ImportError as error:
        raise UserError("CXR_EXECUTOR=dask needs Dask. Install it: pip install 'cxrcore[cluster]'") from error
    try:
        client = distributed.Client(address, timeout=seconds)  # type: ignore[no-untyped-call]
    except OSError as error:
        raise UserError(
            "CXR_DASK_SCHEDULER: no Dask scheduler answers at {address}. Start one with: dask scheduler",
            address=address,
        ) from error
    with client:
        yield Cluster(client)
