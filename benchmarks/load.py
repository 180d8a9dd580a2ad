"""`python -m benchmarks.load`: many visitors at once on a real server, for example `--sessions 50 --training`.

Each visitor is a WebSocket session of its own (see `benchmarks.visitor`) that goes through all pages and tabs at
random, thinks after each for half to one and a half times `--think` seconds (with `--exact` just as long), and loads a
picture of every fourth one. The plan depends on `--seed` alone. The workspace has 1,000 runs, copies of one trained on
phantoms, and 100 datasets; `--home` keeps it for the next time. `--training` starts a training alone, and repeats it
beside the visitors. Prints the server's memory every minute and one JSON object at the end; times are seconds, memory
is in MB. With `--views`, a single visitor opens each view some times, and a line tells the server's CPU milliseconds
(mean) and the time that it took (median).
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np
import psutil

from benchmarks.pages import copied
from benchmarks.server import running
from benchmarks.visitor import Visitor
from cxrcore import runs, settings
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.jobs import queue
from cxrcore.runs import LIVE, Run
from cxrcore.training import pipeline

VIEWS: dict[str, list[dict[str, str]]] = {
    "": [{}],
    "data": [{"view": tab} for tab in ("Overview", "Images", "Audit", "Add a dataset")],
    "train": [{}],
    "results": [
        {"tab": tab}
        for tab in ("Images", "Metrics", "Probabilities", "Errors", "Robustness", "Training curves", "Export")
    ],
    "explain": [
        {"show": tab} for tab in ("Test images", "Upload", "Comparison", "Mean heatmap by class", "Faithfulness")
    ],
    "compare": [{"show": tab} for tab in ("Runs", "Sweeps")],
}
_LINKED = 20  # runs that links point to; the newest is opened without a link
_FETCHED = 4  # one in so many page runs loads one of its pictures
_LEFT_SECONDS = 150  # Streamlit keeps a session that has left for two minutes


@dataclass
class Record:
    """What the visitors saw: seconds of page runs by view and of updates of fragments, and errors by their text."""

    pages: dict[str, list[float]] = field(default_factory=dict)
    updates: list[float] = field(default_factory=list)
    media: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def seconds(self) -> list[float]:
        """The seconds of all page runs."""
        return [value for values in self.pages.values() for value in values]


def plan(seed: str, names: list[str], datasets: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield pages with the choices in their URL: each page as often as any other, then one of its tabs."""
    chance = random.Random(seed)
    while True:
        path = chance.choice(list(VIEWS))
        query = dict(chance.choice(VIEWS[path]))
        if path in ("results", "explain") and chance.random() < 0.5:
            query["run"] = chance.choice(names)
        if path in ("data", "train") and chance.random() < 0.5:
            query["dataset"] = chance.choice(datasets)
        yield path, query


async def visit(
    http: aiohttp.ClientSession,
    address: str,
    steps: Iterator[tuple[str, dict[str, str]]],
    until: float,
    think: Callable[[], float],
    record: Record,
) -> None:
    """Let one visitor follow a plan until a time of `time.monotonic`."""
    try:
        async with Visitor(http, address) as visitor:
            for number, (path, query) in enumerate(steps):
                if time.monotonic() >= until:
                    return
                done = await visitor.open(path, query)
                record.pages.setdefault(view_name(path, query), []).append(done.seconds)
                if number % _FETCHED == 0 and done.media:
                    await visitor.fetch(min(done.media))
                    record.media += 1
                updates = await visitor.think(think())
                record.updates += [update.seconds for update in updates]
                record.errors.update(
                    f"{view_name(path, query)}: {text}" for run in (done, *updates) for text in run.errors
                )
    except (aiohttp.ClientError, OSError) as error:
        record.errors[f"{type(error).__name__}: {error}"] += 1


def view_name(path: str, query: dict[str, str]) -> str:
    """Return for example `results, Metrics`."""
    return ", ".join([path or "home", *(query[name] for name in ("view", "tab", "show") if name in query)])


def thinking(seconds: float, seed: str, exact: bool) -> Callable[[], float]:
    """Return a function that returns how long a visitor thinks: `seconds` if `exact`, else half to one and a half times
    as long. Visitors who all think as long come back together once they have waited together.
    """
    chance = random.Random(f"think {seed}")
    return lambda: seconds if exact else seconds * chance.uniform(0.5, 1.5)


async def visitors(
    address: str, count: int, seconds: float, think: float, seed: int, server: psutil.Process, exact: bool = False
) -> Record:
    """Let visitors come over the first `think` seconds and leave after `seconds`; return what they saw."""
    record, start = Record(), time.monotonic()
    names = [run.name for run in runs.listing()[:_LINKED]]
    datasets = dataset.names()

    async def one(number: int) -> None:
        await asyncio.sleep(think * number / count)
        own = f"{seed} {number}"
        steps, pause = plan(own, names, datasets), thinking(think, own, exact)
        await visit(http, address, steps, start + seconds, pause, record)

    async def watch() -> None:
        while True:
            await asyncio.sleep(60)
            line = {"minute": round((time.monotonic() - start) / 60), "memory": megabytes(server)}
            print(json.dumps(line | {"page_runs": len(record.seconds)}), flush=True)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        watching = asyncio.create_task(watch())
        await asyncio.gather(*(one(number) for number in range(count)))
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    return record


async def views(address: str, times: int, server: psutil.Process) -> None:
    """Let one visitor open each view some times, after a first that is not counted; print a line for each."""
    async with aiohttp.ClientSession() as http, Visitor(http, address) as visitor:
        for path, queries in VIEWS.items():
            for query in queries:
                await visitor.open(path, query)
                await asyncio.sleep(1)
                before, seconds = cpu(server), []
                for _ in range(times):
                    done = await visitor.open(path, query)
                    seconds.append(done.seconds)
                line = {
                    "view": view_name(path, query),
                    "cpu_ms": round(1000 * (cpu(server) - before) / times, 1),
                    "ms": round(1000 * statistics.median(seconds), 1),
                    "kb": round(done.size / 1024),
                }
                print(json.dumps(line | ({"errors": done.errors} if done.errors else {})), flush=True)


def megabytes(process: psutil.Process) -> int:
    """Return the memory of a process in MB."""
    return int(process.memory_info().rss / 2**20)


def cpu(process: psutil.Process) -> float:
    """Return the CPU seconds that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def prepare(count: int, datasets: int, patients: int) -> None:
    """Make the runs and the datasets, unless there are enough."""
    if not dataset.names():
        phantoms.create("phantom", patients=patients)
    if not runs.listing():
        config = run_config.make(dataset="phantom", head="gap")
        pipeline.run(config, runs.create(config).folder)
    newest, *others = runs.listing()
    for number in range(len(others), count - 1):
        copied(newest, number)
    folder = settings.datasets_folder()
    for number in range(len(dataset.names()), datasets):
        shutil.copytree(folder / "phantom", folder / f"phantom-{number}", copy_function=os.link)


def start_training() -> Run:
    """Start a training in a process of its own, as the dashboard does: CXRTiny, fine-tuned from its pixels."""
    return queue.submit(run_config.make(dataset="phantom", head="gap", epochs=20, tune={"epochs": 4}))


async def trained(run: Run) -> float:
    """Return the seconds that a training took, when it has ended."""
    while run.status.state in LIVE:
        await asyncio.sleep(0.5)
    if run.status.state != runs.FINISHED:
        raise RuntimeError(f"The training {run.status.state}: {run.status.message}")
    return run.status.ended - run.status.started


async def repeated(seconds: list[float]) -> None:
    """Train again and again."""
    while True:
        seconds.append(await trained(start_training()))


def percentile(values: list[float], percent: float) -> float:
    """Return a percentile, rounded; 0 of no values."""
    return round(float(np.percentile(values, percent)), 3) if values else 0.0


async def measure(options: argparse.Namespace, address: str, server: psutil.Process) -> None:
    """Print the figures."""
    if options.views:
        await views(address, options.views, server)
        return
    await visitors(address, 1, 30.0, 0.0, options.seed, server)  # a new server imports and reads everything once
    report: dict[str, object] = {"sessions": options.sessions, "think": options.think, "exact": options.exact}
    if options.training:
        report["training_alone"] = round(await trained(start_training()), 1)
    seconds = options.minutes * 60 if options.minutes else options.seconds
    beside: list[float] = []
    training = asyncio.create_task(repeated(beside)) if options.training else None
    report["memory_before"], before, start = megabytes(server), cpu(server), time.monotonic()
    record = await visitors(
        address, options.sessions, seconds, options.think, options.seed, server, exact=options.exact
    )
    taken, used = time.monotonic() - start, cpu(server) - before
    report |= {
        "seconds": round(taken),
        "page_runs": len(record.seconds),
        "median": percentile(record.seconds, 50),
        "p95": percentile(record.seconds, 95),
        "longest": percentile(record.seconds, 100),
        "updates": len(record.updates),
        "updates_median": percentile(record.updates, 50),
        "pictures": record.media,
        "errors": sum(record.errors.values()),
        "cpu_percent": round(100 * used / taken),
        "cpu_ms_a_page_run": round(1000 * used / max(1, len(record.seconds) + len(record.updates)), 1),
        "memory_after": megabytes(server),
    }
    if training:
        training.cancel()
        with suppress(asyncio.CancelledError):
            await training
        report["training_beside"] = [round(value, 1) for value in beside]
    for name in sorted(record.pages):
        values = record.pages[name]
        line = {"view": name, "n": len(values), "median": percentile(values, 50), "p95": percentile(values, 95)}
        print(json.dumps(line))
    for text, count in record.errors.most_common(10):
        print(json.dumps({"error": text, "n": count}))
    if options.leave:
        await asyncio.sleep(_LEFT_SECONDS)
        report["memory_left"] = megabytes(server)
    print(json.dumps(report))


def main(arguments: list[str]) -> None:
    """Make the workspace, start the server and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load")
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--minutes", type=float, default=0, help="in place of --seconds")
    parser.add_argument("--think", type=float, default=3.0, help="seconds between two page runs of a visitor")
    parser.add_argument("--exact", action="store_true", help="all visitors think for exactly --think seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--training", action="store_true", help="train beside the visitors")
    parser.add_argument("--leave", action="store_true", help="measure the memory again when all visitors have left")
    parser.add_argument("--views", type=int, default=0, help="times that a single visitor opens each view")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--datasets", type=int, default=100)
    parser.add_argument("--patients", type=int, default=100, help="of a class of the phantoms")
    parser.add_argument("--home", type=Path, help="the workspace, kept afterwards")
    parser.add_argument("--port", type=int, default=0, help="of the server, 0 for a free one")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        home = options.home or Path(temporary)
        os.environ["CXR_HOME"] = str(home)
        prepare(options.runs, options.datasets, options.patients)
        with running(home, port=options.port) as (address, number):
            asyncio.run(measure(options, address, psutil.Process(number)))
        for run in queue.waiting() + [run for run in runs.listing() if run.status.state in LIVE]:
            queue.stop(run)


if __name__ == "__main__":
    main(sys.argv[1:])
