"""Turns of page runs."""

import time
from concurrent.futures import ThreadPoolExecutor

from cxrcore.ui.turns import Turns


def _most_at_once(turns, count, seconds):
    inside, most = [], []

    def run(number):
        with turns.turn():
            inside.append(number)
            most.append(len(inside))
            time.sleep(seconds)
            inside.remove(number)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(run, range(count)))
    return max(most)


def test_no_more_than_the_given_number_run_at_once():
    assert _most_at_once(Turns(2, longest=60.0), 6, 0.02) == 2


def test_one_that_takes_long_is_not_waited_for():
    turns, start = Turns(1, longest=0.05), time.monotonic()
    assert _most_at_once(turns, 3, 0.5) == 3
    assert time.monotonic() - start < 1.4  # one after the other would take 1.5 s


def test_an_error_gives_the_turn_back():
    turns = Turns(1, longest=60.0)
    try:
        with turns.turn():
            raise ValueError
    except ValueError:
        pass
    with turns.turn():
        pass
