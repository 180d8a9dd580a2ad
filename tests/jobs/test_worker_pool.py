"""The pool of worker processes: results, progress, errors, killed and silent workers, order and memory."""

import os
import threading
import time

import pytest

from cxrcore import access, i18n
from cxrcore.access import Role
from cxrcore.data.errors import ImageError
from cxrcore.errors import UnavailableError, UserError
from cxrcore.jobs.worker_pool import WorkerPool
from tests.jobs import pool_functions

GIGABYTE = 10**9


@pytest.fixture(scope="module")
def shared():
    pool = WorkerPool(1, GIGABYTE)
    yield pool
    pool.close()


@pytest.fixture
def make():
    """Make pools that are closed at the end."""
    pools = []

    def new(*args, **options):
        pools.append(WorkerPool(*args, **options))
        return pools[-1]

    yield new
    for pool in pools:
        pool.close()


def test_result_progress_and_language_come_from_another_process(shared):
    steps = []
    i18n.use("pt")
    process, language = shared.call(pool_functions.count, 3, progress=lambda *step: steps.append(step))
    assert process != os.getpid() and language == "pt"
    assert steps == [(0, 3), (1, 3), (2, 3)]
    assert shared.is_warm and shared.memory > 0


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR, Role.NOBODY])
def test_worker_has_the_role_of_the_visitor_in_every_thread(role, shared):
    assert access.run_as(role, shared.call)(pool_functions.roles) == (role, role)


def test_preparation_has_the_role_of_the_visitor(shared, tmp_path):
    access.run_as(Role.VIEWER, shared.prepare)(pool_functions.note_role, tmp_path / "role")
    end = time.monotonic() + 20
    while not (tmp_path / "role").exists() or not (tmp_path / "role").read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    assert (tmp_path / "role").read_text() == "viewer"


def test_errors_with_a_message_keep_the_process(shared):
    before, _ = shared.call(pool_functions.count, 0)
    with pytest.raises(UserError) as raised:
        shared.call(pool_functions.refuse, "x.png")
    assert raised.value.message.values == {"name": "x.png"}
    with pytest.raises(ImageError) as raised:
        shared.call(pool_functions.refuse, "")
    assert raised.value.kind == "missing"
    assert shared.call(pool_functions.count, 0)[0] == before


def test_unexpected_error_is_passed_on_and_replaces_the_process(shared):
    before, _ = shared.call(pool_functions.count, 0)
    with pytest.raises(ZeroDivisionError):
        shared.call(pool_functions.divide, 0)
    assert not shared.is_warm
    assert shared.call(pool_functions.count, 0)[0] != before


def test_killed_in_the_middle_says_so_and_the_next_call_works(shared):
    def kill(process):
        os.kill(process, 9)

    with pytest.raises(UserError, match="ended unexpectedly"):
        shared.call(pool_functions.report_and_sleep, 60, progress=kill)
    assert shared.call(pool_functions.count, 0)


def test_killed_while_idle_is_not_noticed(shared):
    process, _ = shared.call(pool_functions.count, 0)
    os.kill(process, 9)
    while shared.is_warm:
        time.sleep(0.01)
    time.sleep(0.1)  # the executor notices
    assert shared.call(pool_functions.count, 0)[0] != process


def test_exception_of_progress_stops_the_function_and_keeps_the_process(shared):
    class Rerun(BaseException):
        pass

    def interrupt(*step):
        raise Rerun

    before, _ = shared.call(pool_functions.count, 0)
    start = time.monotonic()
    with pytest.raises(Rerun):
        shared.call(pool_functions.count, 3000, progress=interrupt)  # 30 s
    assert time.monotonic() - start < 10
    assert shared.call(pool_functions.count, 2)[0] == before


def test_silent_call_is_ended(make):
    pool = make(1, GIGABYTE, silent=0.5)
    with pytest.raises(UserError, match="no sign for"):
        pool.call(pool_functions.report_and_sleep, 60)
    assert not pool.is_warm


def test_process_over_the_limit_is_replaced(make):
    pool = make(1, 1)
    first, second = pool.call(pool_functions.count, 0)[0], pool.call(pool_functions.count, 0)[0]
    assert first != second and not pool.is_warm


def test_idle_process_ends(make):
    pool = make(1, GIGABYTE, idle=0.2)
    pool.call(pool_functions.count, 0)
    end = time.monotonic() + 20
    while pool.is_warm and time.monotonic() < end:
        time.sleep(0.05)
    assert not pool.is_warm and pool.call(pool_functions.count, 0)


def test_calls_wait_in_order_and_are_told_how_many_are_ahead(shared):
    ended, ahead, started = [], {}, threading.Event()

    def call(name, number):
        shared.call(
            pool_functions.count,
            number,
            progress=lambda *step: started.set(),
            waiting=lambda others: ahead.setdefault(name, others),
        )
        ended.append(name)

    threads = [threading.Thread(target=call, args=(name, n)) for name, n in (("a", 150), ("b", 1), ("c", 1))]
    threads[0].start()
    started.wait()
    for thread in threads[1:]:
        thread.start()
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert ended == ["a", "b", "c"] and ahead == {"b": 1, "c": 2}


def test_preparing_is_done_once_and_is_not_counted_as_a_call_ahead(make, tmp_path):
    pool, ahead = make(1, GIGABYTE), []
    for _ in range(2):
        pool.prepare(pool_functions.append, tmp_path / "calls.txt")
    pool.call(pool_functions.count, 0, waiting=ahead.append)
    pool.prepare(pool_functions.append, tmp_path / "calls.txt")
    assert (tmp_path / "calls.txt").read_text() == "x" and set(ahead) <= {0}


def test_call_that_is_at_work_when_the_pool_is_closed_says_so(make):
    pool = make(1, GIGABYTE)
    with pytest.raises(UnavailableError, match="is being stopped"):
        pool.call(pool_functions.report_and_sleep, 60, progress=lambda process: pool.close())


def test_closed_pool_leaves_no_process_and_refuses_calls(make, tmp_path):
    pool = make(1, GIGABYTE)
    process, _ = pool.call(pool_functions.count, 0)
    pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(UserError, match="is being stopped"):
        pool.call(pool_functions.append, tmp_path / "calls.txt")
    time.sleep(1)
    assert not (tmp_path / "calls.txt").exists()
