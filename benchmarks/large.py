"""`python -m benchmarks.large --counts 1000 10000 100000`: the whole journey with many small images.

For each count, images of 64 x 64 pixels are written as files in class folders: phantoms, each in eight exposures that
differ in position, rotation, size, contrast and noise. Then the import, the audit, and a run
with CXRTiny (features, training, evaluation) are processes of their own, and one visitor of a fresh server opens each
page twice. Prints a JSON line for each step: seconds, processor seconds (of the process and its children, in user and
system mode, which depend less on what else the machine does), seconds for 1,000 images, and the peak memory of a
process in MB (Python and TensorFlow included); at the end how far the times are from a line. A step that fails has a
line that says so. `--home` keeps the workspaces, and `--steps` does some steps alone in those that are there. The exit
code is 1 where a step failed or is more than 15 % from the line, a page had an error, or a process took over 2 GB.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import aiohttp
import cv2
import numpy as np
import psutil

from benchmarks.load import VIEWS, view_name
from benchmarks.server import running
from benchmarks.visitor import Visitor

SIDE, EXPOSURES = 64, 8  # pixels of a side; images of a phantom, which is a patient of its own
STEPS = ("import", "audit", "features", "train", "train logistic")  # each in a process of its own
PAGES = "pages"
_LOOK = 0.2  # seconds between two looks at the memory of processes
_AT_ONCE = 100
_FARTHEST, _MOST_MB = 0.15, 2048  # from a line, as a share of it; of a process
_CHILDREN = resource.RUSAGE_CHILDREN


def _draw(folder: str, start: int, count: int) -> None:
    """Write the images of some of the phantoms as PNG files, in a folder for each class and patient."""
    from cxrcore.data.phantom.dataset import DEFAULTS
    from cxrcore.data.phantom.images import generate, specs

    patients = -(-(start + count) // len(DEFAULTS.classes))
    for number, spec in enumerate(islice(specs(patients, 1, DEFAULTS.classes), start, start + count), start):
        drawn, rng = generate(spec, 0).image, np.random.default_rng(number)
        target = Path(folder) / spec.disease / f"p{number}"
        target.mkdir(parents=True)
        for exposure in range(EXPOSURES):
            (target / f"{exposure}.png").write_bytes(cv2.imencode(".png", _exposed(drawn, rng))[1].tobytes())


def _exposed(drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a phantom as another exposure shows it, uint8 (SIDE, SIDE): turned, moved, scaled, of another contrast."""
    middle, (x, y) = drawn.shape[0] / 2, rng.uniform(-0.08, 0.08, 2) * drawn.shape[0]
    affine = cv2.getRotationMatrix2D((middle, middle), rng.uniform(-10, 10), rng.uniform(0.85, 1.15))
    affine[:, 2] += x, y
    moved = cv2.warpAffine(drawn, affine, drawn.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    small = cv2.resize(moved, (SIDE, SIDE), interpolation=cv2.INTER_AREA) / 255.0
    noisy = 255 * small ** rng.uniform(0.8, 1.25) + rng.normal(0, 3, small.shape)
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def draw(folder: Path, count: int) -> None:
    """Write `count` images below a folder, unless they are there."""
    if folder.exists():
        return
    unfinished, phantoms = f"{folder}-unfinished", count // EXPOSURES
    with ProcessPoolExecutor() as pool:
        starts = range(0, phantoms, _AT_ONCE)
        list(pool.map(_draw, [unfinished] * len(starts), starts, [min(_AT_ONCE, phantoms - k) for k in starts]))
    Path(unfinished).rename(folder)


def step(name: str, images: str) -> None:
    """Do one step in this process, whose workspace is that of the count; print its figures."""
    from cxrcore import runs, settings
    from cxrcore.audits.dataset import audit
    from cxrcore.config import run_config
    from cxrcore.data import dataset, importing
    from cxrcore.training import pipeline

    start = perf_counter()
    if name == "import":
        importing.import_folders([Path(images)], "large", replace=True)
    elif name == "audit":
        audit.run(dataset.load("large"))
    else:
        if name == "features":
            shutil.rmtree(settings.features_folder(), ignore_errors=True)  # those of an earlier time
        head = "logistic" if name == "train logistic" else "gap"
        config = run_config.make(dataset="large", head=head, size=SIDE, epochs=1 if name == "features" else 10)
        pipeline.run(config, runs.create(config).folder)
    seconds, used = perf_counter() - start, [resource.getrusage(kind) for kind in (resource.RUSAGE_SELF, _CHILDREN)]
    processor = sum(each.ru_utime + each.ru_stime for each in used)
    peak = max(each.ru_maxrss for each in used) // 1024
    print(json.dumps({"seconds": round(seconds, 2), "processor": round(processor, 2), "peak_mb": peak}))


def done(name: str, home: Path, images: Path) -> dict[str, float]:
    """Do a step in a process of its own and return its figures, {} if it failed."""
    command = [sys.executable, "-m", "benchmarks.large", "--step", name, "--images", str(images)]
    environment = os.environ | {"CXR_HOME": str(home)}
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(ended.stdout.splitlines()[-1])) if ended.returncode == 0 else {}


class Watch:
    """The peak memory in MB of the server and of each of its workers, and the processor seconds of all of them."""

    def __init__(self, server: psutil.Process) -> None:
        self._server, self._peaks, self._used = server, dict[int, int](), dict[int, float]()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def peak(self) -> int:
        """The largest peak of a process up to now."""
        return max(self._peaks.values(), default=0)

    def processor(self) -> float:
        """Return the processor seconds up to now."""
        self._look()
        return sum(self._used.values())

    def end(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK):
            self._look()

    def _look(self) -> None:
        with suppress(psutil.Error):
            for process in [self._server, *self._server.children(recursive=True)]:
                with suppress(psutil.Error, OSError, StopIteration):
                    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                    self._peaks[process.pid] = int(next(x for x in lines if x.startswith("VmHWM")).split()[1]) // 1024
                    times = process.cpu_times()
                    self._used[process.pid] = times.user + times.system


async def _views(address: str, watch: Watch) -> list[dict[str, Any]]:
    """Open each page and tab twice; return a line for each view: of the first visit and of the second."""
    found: list[dict[str, Any]] = []
    async with aiohttp.ClientSession() as http, Visitor(http, address) as visitor:
        for visit in ("first", "second"):
            for path, queries in VIEWS.items():
                for query in queries:
                    before = watch.processor()
                    page = await visitor.open(path, query)
                    used = round(watch.processor() - before, 2)
                    line = {"view": view_name(path, query), "visit": visit, "seconds": round(page.seconds, 2)}
                    line |= {"processor": used, "kb": page.size // 1024, "peak_mb": watch.peak}
                    found.append(line | ({"errors": page.errors} if page.errors else {}))
    return found


def _opened(home: Path) -> list[dict[str, Any]]:
    """Return the lines of the pages of a workspace, on a fresh server."""
    with running(home) as (address, number):
        watch = Watch(psutil.Process(number))
        try:
            return asyncio.run(_views(address, watch))
        finally:
            watch.end()


def distance_from_a_line(counts: list[int], seconds: list[float]) -> float:
    """Return the largest distance of times from a line through them with an offset, as a share of the line."""
    x, y = np.array(counts, float), np.array(seconds)
    slope, offset = np.polyfit(x, y, 1, w=1 / y)
    return float(np.abs(y / (slope * x + offset) - 1).max())


def main(arguments: list[str]) -> int:
    """Print the figures of each count; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--home", type=Path, help="the folder of images and workspaces, kept afterwards")
    parser.add_argument("--steps", choices=[*STEPS, PAGES], nargs="+", default=[*STEPS, PAGES])
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--images", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.step:
        step(options.step, options.images)
        return 0
    times: dict[str, list[tuple[int, dict[str, float]]]] = {}
    within = True
    with tempfile.TemporaryDirectory() as temporary:
        place = options.home or Path(temporary)
        for count in options.counts:
            images, home = place / f"images-{count}", place / f"home-{count}"
            draw(images, count)
            for name in [name for name in STEPS if name in options.steps]:
                line: dict[str, object] = {"images": count, "step": name}
                if figures := done(name, home, images):
                    times.setdefault(name, []).append((count, figures))
                    line |= figures | {"processor_of_1000": round(1000 * figures["processor"] / count, 3)}
                within &= bool(figures) and figures["peak_mb"] <= _MOST_MB
                print(json.dumps(line if figures else line | {"failed": True}), flush=True)
            for view in _opened(home) if PAGES in options.steps else []:
                within &= view["peak_mb"] <= _MOST_MB and "errors" not in view
                print(json.dumps({"images": count} | view), flush=True)
    for name, found in times.items():
        if len(found) > 2:
            far = {
                kind: round(distance_from_a_line([n for n, _ in found], [each[kind] for _, each in found]), 3)
                for kind in ("seconds", "processor")
            }
            within &= max(far.values()) <= _FARTHEST
            print(json.dumps({"step": name, "largest_distance_from_a_line": far}))
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
