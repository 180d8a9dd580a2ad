"""The load client: what it plans, and what it sees of a real server."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import aiohttp
import psutil
import pytest

from benchmarks import load
from benchmarks.load import Record, plan
from benchmarks.server import running


def test_plan_depends_on_the_seed_and_comes_to_every_view():
    steps = list(islice(plan("0 1", ["a"], ["d"]), 600))
    assert steps == list(islice(plan("0 1", ["a"], ["d"]), 600))
    assert steps != list(islice(plan("0 2", ["a"], ["d"]), 600))
    every = {load.view_name(path, query) for path, queries in load.VIEWS.items() for query in queries}
    assert {load.view_name(path, query) for path, query in steps} == every


def test_visitors_think_differently_long_or_for_exactly_the_seconds():
    one, same, other, exact = (
        load.thinking(3.0, seed, exact)
        for seed, exact in (("0 1", False), ("0 1", False), ("0 2", False), ("0 1", True))
    )
    drawn = [one() for _ in range(200)]
    assert drawn == [same() for _ in range(200)] and drawn != [other() for _ in range(200)]
    assert 1.5 <= min(drawn) < 1.6 and 4.4 < max(drawn) <= 4.5
    assert {exact() for _ in range(5)} == {3.0}


@pytest.mark.nightly
def test_two_visitors_of_a_real_server_until_it_is_gone(tmp_path):
    pages = [("", {}), ("compare", {"show": "Sweeps"})]
    record = Record()

    async def all_pages(address):
        async with aiohttp.ClientSession() as http:
            until = time.monotonic() + 60
            visits = (load.visit(http, address, iter(pages), until, lambda: 0.1, record) for _ in range(2))
            await asyncio.gather(*visits)
            assert not record.errors
            await load.visit(http, address, ended(), until, lambda: 0.0, record)

    def ended():
        yield "", {}
        psutil.Process(server).kill()
        yield "", {}

    with running(tmp_path) as (address, server):
        with ThreadPoolExecutor(1) as thread:  # Playwright keeps a loop running in the main one
            thread.submit(asyncio.run, all_pages(address)).result()
    counts = {name: len(seconds) for name, seconds in record.pages.items()}
    assert counts["compare, Sweeps"] == 2
    assert record.errors["home: the server closed the session"] == 1
