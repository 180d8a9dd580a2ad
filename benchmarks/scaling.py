"""`python -m benchmarks.scaling`: what a whole run costs against the number of images, on phantoms with CXRTiny.

Each number of images is a process of its own; its memory is the peak the system saw, Python and TensorFlow included.
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
_CLASSES, _IMAGES, _REPEATS = 3, 2, 5


def main() -> None:
    """Print seconds and memory by number of images, and how far they are from a line and from flat."""
    if len(sys.argv) > 1:
        step, count = sys.argv[1], int(sys.argv[2])
        if step == "draw":
            _draw(count)
        else:
            print(json.dumps(_one()))
        return
    rows = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as home:
            environment = os.environ | {"CXR_HOME": home}
            for step in ("draw", "run"):  # drawing is not what is measured, nor is its memory
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.scaling", step, str(count)],
                    stdout=subprocess.PIPE, text=True, check=True, env=environment,
                )  # fmt: skip
            rows.append(json.loads(done.stdout.splitlines()[-1]))
            print(rows[-1], file=sys.stderr)
    print(json.dumps({"rows": rows} | _summary(rows), indent=2))


def _draw(count: int) -> None:
    from cxrcore.data.phantom import dataset as phantoms

    phantoms.create("warm", patients=5, images=_IMAGES)
    phantoms.create("phantom", patients=-(-count // (_CLASSES * _IMAGES)), images=_IMAGES)


def _one() -> dict[str, float]:
    from cxrcore import runs, settings
    from cxrcore.data import dataset
    from cxrcore.training import config, pipeline

    data = dataset.load("phantom")

    def run(name: str) -> dict[str, float]:
        made = config.make(dataset=name, epochs=30, early_stopping=0)
        done = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
        return dict(done.results["seconds"])

    run("warm")  # TensorFlow is loaded and has compiled
    measured = []
    for _ in range(_REPEATS):
        shutil.rmtree(settings.features_folder())
        start = perf_counter()
        seconds = run(data.name)
        measured.append((perf_counter() - start, seconds["features"]))
    whole, features = min(measured)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "images": len(data.usable),
        "seconds": whole,
        "features": features,
        "peak_mb": peak,
    }


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
