"""`python -m benchmarks.audits [backbone ...]`: time and result of the shortcut audit, mitigations and faithfulness.

Needs ../shared. Trains a run of each backbone on the real images, by default MobileNetV2, Xception and VGG16, and
prints one line of JSON for each task: the seconds announced before the start, expected at a quarter of them, and taken;
the items of each step; the load of the machine before and after; and the result.
"""

import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter
from typing import Any

from benchmarks.__main__ import SHARED


def main() -> None:
    """Measure each backbone."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"CXR_HOME": home, "CXR_WEIGHTS_DIR": str(SHARED / "weights")}
        from cxrcore.data.importing import import_folders

        import_folders([SHARED / "data" / "covid-chestxray-dataset", SHARED / "data" / "chest_xray"], "real")
        for key in sys.argv[1:] or ("mobilenetv2", "xception", "vgg16"):
            for measured in measure(key):
                print(json.dumps(measured), flush=True)


def measure(key: str) -> Iterator[dict[str, Any]]:
    """Yield the times and the result of each task on a run of one backbone; each task in a process of its own, as the
    dashboard starts it.
    """
    from cxrcore import runs
    from cxrcore.config import run_config
    from cxrcore.training import pipeline

    config = run_config.make(dataset="real", backbone=key)
    run = pipeline.run(config, runs.create(config).folder)
    for name, (seconds, _) in tasks().items():
        announced, before, start = seconds(run), os.getloadavg()[0], perf_counter()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            found = process.submit(work, name, run.name, announced).result()
        yield {
            "backbone": key,
            "task": name,
            "announced": round(announced, 1),
            "seconds": round(perf_counter() - start, 1),
            "load": [round(before, 1), round(os.getloadavg()[0], 1)],
        } | found


def tasks() -> dict[str, tuple[Any, Any]]:
    """Return the function that announces the seconds of each task, and the one that does it."""
    from cxrcore.audits import mitigations, shortcut
    from cxrcore.explain import faithfulness

    return {
        "shortcut audit": (shortcut.seconds, shortcut.audit),
        "mitigations": (mitigations.seconds, mitigations.compare),
        "faithfulness": (faithfulness.seconds, lambda run, progress: faithfulness.measure(run, progress=progress)),
    }


def work(task: str, name: str, announced: float) -> dict[str, Any]:
    """Do a task and return its steps, its result, and what it expected at a quarter of the announced seconds."""
    start = perf_counter()
    from cxrcore import runs
    from cxrcore.progress import Step

    steps: dict[int, Step] = {}
    expected: list[float] = []

    def note(step: Step) -> None:
        steps[step.number] = step
        elapsed = perf_counter() - start
        if not expected and elapsed > announced / 4 and step.seconds_left is not None:
            expected.append(round(elapsed + step.seconds_left, 1))

    result = tasks()[task][1](runs.load(name), note)
    return {
        "expected_at_a_quarter": expected,
        "steps": {str(step.stage): step.total for step in steps.values()},
        "result": result.plain(),
    }


if __name__ == "__main__":
    main()
