"""Memory of the server and the time of heatmaps: `python -m benchmarks.explain_requests [--run NAME] [--requests 500]`.

The process acts as the server: it draws the Explain page by Streamlit's `AppTest` and sends requests to the pool of
workers. Without `--run`, CXRTiny is trained on phantoms in a workspace of its own; else it is a run of `CXR_HOME`.
Measured are the seconds from opening the page to a heatmap that is not kept with the run (cold), the same for the next
image (warm), the memory of server and worker over many requests, and the next request after a killed worker.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from itertools import cycle, islice, product
from pathlib import Path
from time import perf_counter

import psutil
from streamlit.testing.v1 import AppTest

from benchmarks.server import ROOT
from cxrcore import runs
from cxrcore.errors import UserError
from cxrcore.explain import layers, loaded_runs
from cxrcore.explain.explanation import ClassScore
from cxrcore.explain.methods import GRADIENT_METHODS
from cxrcore.jobs import worker_pool
from cxrcore.runs import Run

TIMEOUT = 120


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain_requests")
    parser.add_argument("--run", help="name of a run in CXR_HOME, or latest; else CXRTiny on phantoms")
    parser.add_argument("--requests", type=int, default=500)
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(measure(runs.load(arguments.run), arguments.requests), indent=2))
        return
    with tempfile.TemporaryDirectory() as home:
        os.environ["CXR_HOME"] = home
        subprocess.run([sys.executable, "-m", "cxrcore", "demo"], check=True, cwd=ROOT, stdout=sys.stderr)
        print(json.dumps(measure(runs.load("latest"), arguments.requests), indent=2))


def measure(run: Run, requests: int) -> Mapping[str, float | str | bool]:
    """Return the measures: seconds, and memory in MB."""
    pool = worker_pool.pool()
    try:
        cold, warm = _page_seconds(run)
        before, largest = _server_megabytes(), 0
        paths, names = [Path(path) for path in run.predictions("test")["path"]], layers.choices(run.config)
        asked = islice(cycle(product(paths, names, GRADIENT_METHODS)), requests)
        start = perf_counter()
        for path, layer, method in asked:
            pool.call(loaded_runs.explain, run, path, layer, method, ClassScore())
            largest = max(largest, pool.memory)
        each = (perf_counter() - start) / requests
        after = _server_megabytes()
        message, next_seconds = _killed(run, paths[0])
        return {
            "backbone": run.config.backbone,
            "cold_seconds": cold,
            "warm_seconds": warm,
            "requests": requests,
            "seconds_per_request": each,
            "server_mb_before": before,
            "server_mb_after": after,
            "worker_mb_most": largest / 1e6,
            "killed": message,
            "seconds_of_next_request": next_seconds,
            "server_imported_tensorflow": "tensorflow" in sys.modules,
        }
    finally:
        pool.close()


def _page_seconds(run: Run) -> tuple[float, float]:
    """Return the seconds from opening the Explain page to a LayerCAM heatmap, and to that of the next image."""
    AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=TIMEOUT).run()  # Streamlit and Home are loaded
    start = perf_counter()
    page = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=TIMEOUT)
    page.query_params["run"] = run.name
    page.switch_page("pages/explain.py").run()
    _choose(page, "Method", "layercam")
    cold = perf_counter() - start
    box = next(box for box in page.selectbox if box.label.startswith("Test image"))
    start = perf_counter()
    box.select_index(1)
    page.run()
    assert not page.exception and not page.error, [error.value for error in page.error]
    return cold, perf_counter() - start


def _choose(page: AppTest, label: str, value: str) -> None:
    next(box for box in page.selectbox if box.label == label).set_value(value)
    page.run()
    assert not page.exception and not page.error, [error.value for error in page.error]


def _killed(run: Run, path: Path) -> tuple[str, float]:
    """Kill the worker in the middle of a request; return the message, and the seconds of the next request."""
    pool, request = worker_pool.pool(), (run, path, layers.choices(run.config)[0])

    def kill(done: int, total: int) -> None:
        for process in psutil.Process().children(recursive=True):
            if "loky.backend.popen" in " ".join(process.cmdline()):
                process.kill()

    message = ""
    try:
        pool.call(loaded_runs.explain, *request, "occlusion", ClassScore(), progress=kill)
    except UserError as error:
        message = str(error)
    start = perf_counter()
    pool.call(loaded_runs.explain, *request, "grad-cam", ClassScore())
    return message, perf_counter() - start


def _server_megabytes() -> float:
    return float(psutil.Process().memory_info().rss / 1e6)


if __name__ == "__main__":
    main()
