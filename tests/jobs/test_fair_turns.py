"""Many visitors at the pool of workers: the queue is bounded, who leaves it makes room, and preparing never queues."""

import threading
import time
from contextlib import suppress

import pytest

from cxrcore.errors import UserError
from cxrcore.jobs import worker_pool
from cxrcore.jobs.worker_pool import WorkerPool
from tests.jobs import pool_functions

GIGABYTE = 10**9


class Left(BaseException):
    """What Streamlit raises in the script of a visitor who left or clicked again."""


@pytest.fixture
def busy():
    """A pool whose only worker computes until the event is set, or the test ends."""
    pool, started, end = WorkerPool(1, GIGABYTE), threading.Event(), threading.Event()

    def move(*step):
        started.set()
        if end.is_set():
            raise Left

    thread = threading.Thread(target=lambda: _ignore_left(pool, 3000, move), daemon=True)
    thread.start()
    assert started.wait(30)
    yield pool, end
    end.set()
    thread.join(20)
    pool.close()


def _ignore_left(pool, steps, move):
    with suppress(Left):
        pool.call(pool_functions.count, steps, progress=move)


def _wait(pool, ended, left=None):
    """Start a call that waits; when the event `left` is set, its visitor leaves. Return when it is in the queue."""
    told = threading.Event()

    def waiting(ahead):
        told.set()
        if left is not None and left.is_set():
            raise Left

    def call():
        try:
            pool.call(pool_functions.count, 0, waiting=waiting)
            ended.append("answered")
        except Left:
            ended.append("left")

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    assert told.wait(10)
    return thread


def test_queue_has_a_bound_and_who_leaves_makes_room(busy, monkeypatch):
    monkeypatch.setattr(worker_pool, "MOST_WAITING", 3)
    pool, end = busy
    ended, left = [], threading.Event()
    threads = [_wait(pool, ended, left), _wait(pool, ended), _wait(pool, ended)]
    with pytest.raises(UserError, match=r"3 computations are waiting already\. Try again"):
        pool.call(pool_functions.count, 0)
    left.set()
    threads[0].join(10)
    assert ended == ["left"]
    threads.append(_wait(pool, ended))
    end.set()
    for thread in threads:
        thread.join(20)
    assert ended == ["left", "answered", "answered", "answered"]


def test_call_of_a_visitor_who_leaves_is_stopped_and_the_next_one_is_answered(busy):
    pool, end = busy
    ended = []
    thread, start = _wait(pool, ended), time.monotonic()
    end.set()  # of 30 s, the call has most before it
    thread.join(20)
    assert ended == ["answered"] and time.monotonic() - start < 15


def test_preparing_other_runs_starts_no_thread_while_all_workers_are_busy(busy):
    pool, _ = busy
    before = threading.active_count()
    for number in range(30):
        pool.prepare(pool_functions.count, number)
    assert threading.active_count() == before
