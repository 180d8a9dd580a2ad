"""Processes that compute for the pages, so that the web server loads neither TensorFlow nor a model.

A worker is an executor of loky with one process: it starts with the first call, ends after `IDLE_SECONDS` without one,
and can be killed without the others. A worker is replaced when its memory is over the limit, when it failed for a
reason that nobody expected, and when it gave no sign for `SILENT_SECONDS`. Calls wait for a free worker in the order in
which they came. Arguments and results are pickled and go through pipes: nothing is written to the disk.
"""

import atexit
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import Any

import psutil
from loky import ProcessPoolExecutor

from cxrcore import access, i18n, logs, settings
from cxrcore.data.errors import ImageError
from cxrcore.errors import Stopped, UnavailableError, UserError
from cxrcore.jobs import processes
from cxrcore.progress import ignore
from cxrcore.runs import ProcessId, process_id

IDLE_SECONDS = 600.0
SILENT_SECONDS = 180.0  # converting a large model gives no sign for most of a minute
MOST_WAITING = 20  # calls; a visitor who would wait longer is told to come back
_STOP_SECONDS = 20.0  # a batch of altered images may take so long until it notices
_POLL, _QUEUE_POLL = 0.02, 0.5
# loky ends a worker that has grown by 300 MB; a second model is as large, and the pool has a limit of its own.
_ENVIRONMENT = {"LOKY_MAX_MEMORY_LEAK_SIZE": "1e15"}

Waiting = Callable[[int], object]  # is told how many calls are ahead, without those of `prepare`


@dataclass(frozen=True)
class _Answer:
    """What a function returned, and the process that called it, with its memory in bytes after the call."""

    value: Any
    process: ProcessId
    memory: int


class WorkerPool:
    """Calls functions in worker processes; its methods can be called from several threads."""

    def __init__(
        self, workers: int, most_bytes: int, idle: float = IDLE_SECONDS, silent: float = SILENT_SECONDS
    ) -> None:
        """Start no process yet.

        Args:
            workers: how many processes there are at most.
            most_bytes: memory (resident set size) above which a process is replaced after its call.
            idle: seconds without a call after which a process ends.
            silent: seconds without progress after which a call has failed.
        """
        self._free = [_Worker(idle) for _ in range(workers)]
        self._workers = tuple(self._free)
        self._most_bytes, self._silent = most_bytes, silent
        self._queue: list[object] = []
        self._changed = threading.Condition()
        self._prepared: object = None
        self._preparing = 0
        self._closed = False

    @property
    def is_warm(self) -> bool:
        """Whether a worker runs that has answered a call."""
        return any(worker.process and processes.alive(worker.process) for worker in self._workers)

    @property
    def waiting(self) -> int:
        """How many calls wait for a worker."""
        return len(self._queue)

    @property
    def memory(self) -> int:
        """The memory of the largest worker after its latest call, in bytes."""
        return max(worker.memory for worker in self._workers)

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        progress: Callable[..., object] = ignore,
        waiting: Waiting = lambda ahead: None,
    ) -> Any:
        """Return `function(*args, progress=...)`, called in a worker in the current language and role.

        Args:
            function: of a module, as it is pickled by its name; or a `functools.partial` of one.
            args: values that can be pickled.
            progress: called in this thread with what the function reports. If it raises, the function is stopped at its
                next report, and the exception is passed on.
            waiting: called in this thread now and then while no worker is free, with the number of calls of others that
                run or wait before this one; it may raise as well.

        Raises:
            UnavailableError: `MOST_WAITING` calls wait already, or the pool is closed. Or the process ended, or gave no
                sign for too long; the next call starts a new one. What the function raises is passed on.
        """
        with self._turn(waiting) as worker:
            try:
                future = worker.submit(_Call(function, args, i18n.current(), access.current()))
                if self._closed:  # asked after the start, as `close` may not have seen this process
                    worker.kill()
                    raise UnavailableError("The server is being stopped.")
                try:
                    self._follow(future, worker, progress)
                except BaseException:
                    worker.stop(future)
                    raise
                answer = future.result()
            except (UserError, ImageError, Stopped):
                raise
            except Exception as error:
                worker.kill()
                if self._closed:  # which errors the process that was killed leaves depends on the moment
                    raise UnavailableError("The server is being stopped.") from error
                if isinstance(error, BrokenProcessPool):
                    raise UnavailableError(
                        "The process that computes ended unexpectedly: it was killed, or the machine ran out of "
                        "memory. Try again; a new process is started."
                    ) from error
                raise
            worker.process, worker.memory = answer.process, answer.memory
            if answer.memory > self._most_bytes:
                worker.kill()
            return answer.value

    def prepare(self, function: Callable[..., Any], *args: Any) -> None:
        """Call a function in the background; its errors are ignored.

        Nothing happens if it was the latest one and its process still runs, or while every worker is busy.
        """
        with self._changed:
            if self._preparing or not self._free or (self._prepared == (function, args) and self.is_warm):
                return
            self._prepared = (function, args)
            self._preparing += 1
        prepare = access.run_as(access.current(), self._prepare)
        threading.Thread(target=prepare, args=(function, *args), daemon=True).start()

    def close(self) -> None:
        """End every process at once; a call that comes later raises `UnavailableError`."""
        self._closed = True
        for worker in self._workers:
            worker.kill()

    def _prepare(self, function: Callable[..., Any], *args: Any) -> None:
        try:
            self.call(function, *args)
        except Exception:  # whoever needs the result calls again and is told
            with self._changed:
                self._prepared = None
        finally:
            with self._changed:
                self._preparing -= 1

    @contextmanager
    def _turn(self, waiting: Waiting) -> "Iterator[_Worker]":
        """Wait for a free worker, in order; the one used last is taken first, as it has models loaded."""
        ticket = object()
        with self._changed:
            if len(self._queue) >= MOST_WAITING:
                raise UnavailableError(
                    "{n} computations are waiting already. Try again in a minute.", n=len(self._queue)
                )
            self._queue.append(ticket)
        try:
            worker = self._wait(ticket, waiting)
        finally:
            with self._changed:
                self._queue.remove(ticket)
                self._changed.notify_all()
        try:
            yield worker
        finally:
            with self._changed:
                self._free.append(worker)
                self._changed.notify_all()

    def _wait(self, ticket: object, waiting: Waiting) -> "_Worker":
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._queue.index(ticket) < len(self._free), _QUEUE_POLL):
                    return self._free.pop()
                ahead = self._queue.index(ticket) + len(self._workers) - len(self._free) - self._preparing
            waiting(max(0, ahead))

    def _follow(self, future: "Future[_Answer]", worker: "_Worker", progress: Callable[..., object]) -> None:
        """Pass on progress until the call has ended."""
        latest = time.monotonic()
        while not future.done():
            if (step := worker.step()) is not None:
                latest = time.monotonic()
                progress(*step)
            elif time.monotonic() - latest > self._silent:
                worker.kill()
                raise UnavailableError(
                    "The computation gave no sign for {seconds} s and was ended. Try again; a new process is started.",
                    seconds=round(self._silent),
                )


class _Worker:
    """One process, started when it is needed, and the pipe for progress and for the request to stop."""

    def __init__(self, idle: float) -> None:
        self._idle = idle
        self._executor: ProcessPoolExecutor | None = None
        self._pipe: Connection | None = None
        self.process: ProcessId | None = None
        self.memory = 0

    def submit(self, call: "_Call") -> "Future[_Answer]":
        """Start a call; a process that was killed since the latest one is replaced."""
        if self.process and not processes.alive(self.process):
            self.kill()  # loky may not have noticed yet
        while self.step(0) is not None:
            pass  # what the latest call reported at its end
        if self._executor:
            try:
                return self._submitted(self._executor, call)
            except BrokenProcessPool:
                self.kill()
        self._pipe, theirs = multiprocessing.get_context("loky").Pipe()  # loky registers its context
        self._executor = ProcessPoolExecutor(
            1, timeout=self._idle, initializer=_start, initargs=(theirs,), env=_ENVIRONMENT
        )
        return self._submitted(self._executor, call)

    def _submitted(self, executor: ProcessPoolExecutor, call: "_Call") -> "Future[_Answer]":
        future: Future[_Answer] = executor.submit(call)
        return future

    def step(self, seconds: float = _POLL) -> tuple[Any, ...] | None:
        """Return what the function reported, None if it reports nothing within so many seconds."""
        return self._pipe.recv() if self._pipe and self._pipe.poll(seconds) else None

    def stop(self, future: "Future[_Answer]") -> None:
        """Stop a call at its next report, or kill the process if it makes none; return when it has ended."""
        if not self._pipe:  # it was killed
            return
        self._pipe.send(None)
        end = time.monotonic() + _STOP_SECONDS
        while not future.done():
            if self.step() is None and time.monotonic() > end:
                self.kill()
                return

    def kill(self) -> None:
        """End the process; the next call starts another."""
        executor, self._executor, self.process = self._executor, None, None
        if self._pipe:
            self._pipe.close()
            self._pipe = None
        if executor:
            executor.shutdown(wait=True, kill_workers=True)


@lru_cache(maxsize=1)
def pool() -> WorkerPool:
    """Return the pool of this process, of the size that the settings name; its workers end with the process."""
    made = WorkerPool(settings.workers(), settings.worker_bytes())
    atexit.register(made.close)  # else loky waits for them, and TensorFlow takes seconds to be unloaded
    return made


# In the worker:

_pipe_to_server: Connection | None = None


def _start(pipe: Connection) -> None:
    global _pipe_to_server
    _pipe_to_server = pipe
    logs.start()


@dataclass(frozen=True)
class _Call:
    """A function with its arguments, and the language and role of the visitor."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    language: str
    role: access.Role

    def __call__(self) -> _Answer:
        """Call the function in this process."""
        pipe = _pipe_to_server
        assert pipe is not None
        while pipe.poll():
            pipe.recv()  # a request to stop an earlier call, which came too late
        i18n.use(self.language)
        access.decide_by(lambda: self.role)  # in all threads: a worker does one call at a time

        def progress(*step: Any) -> None:
            if pipe.poll():
                raise Stopped
            pipe.send(step)

        try:
            value = self.function(*self.args, progress=progress)
        except (UserError, ImageError, Stopped):
            raise
        except Exception as error:
            logs.unexpected(error)  # here, as the traceback does not reach the server
            raise
        return _Answer(value, process_id(os.getpid()), psutil.Process().memory_info().rss)
