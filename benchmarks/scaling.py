"""`python -m benchmarks.scaling`: what a whole run costs against the number of images, on phantoms with CXRTiny.

Each number of images is a process of its own; its memory is the peak the system saw, Python and TensorFlow included.
All take turns, and the fastest of each counts, as others use the machine.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from time import perf_counter

COUNTS = (100, 300, 1000, 2000, 3000)
_CLASSES, _IMAGES, _ROUNDS = 3, 2, 6


def main() -> None:
    """Print seconds and memory by number of images, and how far they are from a line and from flat."""
    if len(sys.argv) > 1:
        step, count = sys.argv[1], int(sys.argv[2])
        _draw(count) if step == "draw" else _answer()
        return
    with tempfile.TemporaryDirectory() as home:
        workers = [_worker(count, f"{home}/{count}") for count in COUNTS]
        for _ in range(_ROUNDS):
            rows = [_ask(worker) for worker in workers]
            print([round(row["seconds"], 2) for row in rows], file=sys.stderr)
        for worker in workers:
            worker.communicate()
    print(json.dumps({"rows": rows} | _summary(rows), indent=2))


def _worker(count: int, home: str) -> subprocess.Popen[str]:
    """Return a process that has the images of one count, drawn by another, as that is not to be measured."""
    environment = os.environ | {"CXR_HOME": home}
    command = [sys.executable, "-m", "benchmarks.scaling"]
    subprocess.run([*command, "draw", str(count)], stdout=subprocess.DEVNULL, check=True, env=environment)
    pipe = subprocess.PIPE
    return subprocess.Popen([*command, "run", str(count)], env=environment, stdin=pipe, stdout=pipe, text=True)


def _ask(worker: subprocess.Popen[str]) -> dict[str, float]:
    assert worker.stdin and worker.stdout
    worker.stdin.write("\n")
    worker.stdin.flush()
    while not (line := worker.stdout.readline()).startswith("{"):
        assert line, "the process has ended"
    return dict(json.loads(line))


def _draw(count: int) -> None:
    from cxrcore.data.phantom import dataset as phantoms

    phantoms.create("warm", patients=5, images=_IMAGES)
    phantoms.create("phantom", patients=-(-count // (_CLASSES * _IMAGES)), images=_IMAGES)


def _answer() -> None:
    """Print, for each line that is read, the fastest run up to now and the peak of memory."""
    from cxrcore import runs, settings
    from cxrcore.config import run_config
    from cxrcore.data import dataset
    from cxrcore.training import pipeline

    data = dataset.load("phantom")

    def run(name: str) -> float:
        config = run_config.make(dataset=name, epochs=30, early_stopping=0)
        start = perf_counter()
        pipeline.run(config, runs.create(config).folder)
        return perf_counter() - start

    run("warm")  # TensorFlow is loaded and has compiled
    fastest = float("inf")
    for _ in sys.stdin:
        shutil.rmtree(settings.features_folder())
        fastest = min(fastest, run(data.name))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"images": len(data.usable), "seconds": fastest, "peak_mb": peak}), flush=True)


def _summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the largest distance from a line, as a share of it, and the spread of memory.

    The line is fitted to relative distances, as those are what is looked at; what does not depend on the number of
    images (compiling, the saved model) is its offset.
    """
    import numpy as np

    images, seconds = (np.array([row[name] for row in rows]) for name in ("images", "seconds"))
    slope, offset = np.polyfit(images, seconds, 1, w=1 / seconds)
    line = slope * images + offset
    memory = [row["peak_mb"] for row in rows]
    return {
        "milliseconds_an_image": 1000 * slope,
        "seconds_besides": offset,
        "largest_distance_from_the_line": float(np.abs(seconds / line - 1).max()),
        "memory_spread_mb": max(memory) - min(memory),
    }


if __name__ == "__main__":
    main()
