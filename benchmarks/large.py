"""`python -m benchmarks.large --counts 1000 10000 100000`: the whole journey with many small images.

For each count, phantoms of 64 x 64 pixels are written as files in class folders; then the import, the audit, and a run
with CXRTiny (features, training, evaluation) are processes of their own, and one visitor opens each page for the first
time. Prints a JSON line for each step: seconds, seconds for 1,000 images, and the peak memory of the process in MB
(Python and TensorFlow included); at the end how far the times are from a line. `--home` keeps the workspaces.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from time import perf_counter

import aiohttp
import cv2
import numpy as np
import psutil

from benchmarks.load import VIEWS, megabytes, view_name
from benchmarks.server import running
from benchmarks.visitor import Visitor

SIDE, IMAGES = 64, 2  # pixels of a side, images of a patient
STEPS = ("import", "audit", "features", "train", "train logistic")
_AT_ONCE = 500


def _draw(folder: str, start: int, count: int) -> None:
    """Write some of the phantoms as PNG files, by class and patient."""
    from cxrcore.data.phantom.dataset import DEFAULTS
    from cxrcore.data.phantom.images import generate, specs

    patients = -(-(start + count) // (IMAGES * len(DEFAULTS.classes)))
    for spec in islice(specs(patients, IMAGES, DEFAULTS.classes), start, start + count):
        small = cv2.resize(generate(spec, 0).image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        target = Path(folder) / spec.disease / f"{spec.name}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(cv2.imencode(".png", small)[1].tobytes())


def draw(folder: Path, count: int) -> None:
    """Write `count` phantoms below a folder, unless they are there."""
    if folder.exists():
        return
    with ProcessPoolExecutor() as pool:
        starts = range(0, count, _AT_ONCE)
        list(pool.map(_draw, [str(folder)] * len(starts), starts, [min(_AT_ONCE, count - k) for k in starts]))


def step(name: str, images: str) -> None:
    """Do one step in this process, whose workspace is that of the count; print its figures."""
    from cxrcore import runs
    from cxrcore.audits.dataset import audit
    from cxrcore.config import run_config
    from cxrcore.data import dataset, importing
    from cxrcore.training import pipeline

    start = perf_counter()
    if name == "import":
        importing.import_folders([Path(images)], "large")
    elif name == "audit":
        audit.run(dataset.load("large"))
    else:
        head = "logistic" if name == "train logistic" else "gap"
        config = run_config.make(dataset="large", head=head, size=SIDE, epochs=1 if name == "features" else 10)
        pipeline.run(config, runs.create(config).folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": round(perf_counter() - start, 2), "peak_mb": peak}))


def done(name: str, home: Path, images: Path) -> dict[str, float]:
    """Do a step in a process of its own and return its figures."""
    command = [sys.executable, "-m", "benchmarks.large", "--step", name, "--images", str(images)]
    environment = os.environ | {"CXR_HOME": str(home)}
    output = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
    return dict(json.loads(output.splitlines()[-1]))


async def _views(address: str, server: psutil.Process) -> list[dict[str, object]]:
    """Open each page and tab for the first time."""
    found = []
    async with aiohttp.ClientSession() as http, Visitor(http, address) as visitor:
        await visitor.open("", {})
        for path, queries in VIEWS.items():
            for query in queries:
                page = await visitor.open(path, query)
                line = {"view": view_name(path, query), "seconds": round(page.seconds, 2), "kb": page.size // 1024}
                found.append(line | {"server_mb": megabytes(server)} | ({"errors": page.errors} if page.errors else {}))
    return found


def distance_from_a_line(counts: list[int], seconds: list[float]) -> float:
    """Return the largest distance of times from a line through them with an offset, as a share of the line."""
    x, y = np.array(counts, float), np.array(seconds)
    slope, offset = np.polyfit(x, y, 1, w=1 / y)
    return float(np.abs(y / (slope * x + offset) - 1).max())


def main(arguments: list[str]) -> None:
    """Print the figures of each count."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--home", type=Path, help="the folder of images and workspaces, kept afterwards")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--images", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.step:
        step(options.step, options.images)
        return
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        place = options.home or Path(temporary)
        for count in options.counts:
            images, home = place / f"images-{count}", place / f"home-{count}"
            draw(images, count)
            for name in STEPS:
                figures = done(name, home, images)
                times.setdefault(name, []).append(figures["seconds"])
                each = round(1000 * figures["seconds"] / count, 3)
                print(json.dumps({"images": count, "step": name} | figures | {"seconds_of_1000": each}), flush=True)
            with running(home) as (address, number):
                for line in asyncio.run(_views(address, psutil.Process(number))):
                    print(json.dumps({"images": count} | line), flush=True)
    if len(options.counts) > 2:
        for name, seconds in times.items():
            far = round(distance_from_a_line(options.counts, seconds), 3)
            print(json.dumps({"step": name, "largest_distance_from_a_line": far}))


if __name__ == "__main__":
    main(sys.argv[1:])
