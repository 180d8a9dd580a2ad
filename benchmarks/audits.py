"""`python -m benchmarks.audits [backbone ...]`: time and result of the shortcut audit, mitigations and faithfulness.

Needs ../shared. Trains a run of each backbone on the real images, by default MobileNetV2, Xception and VGG16, and
prints one line of JSON for each task: the seconds announced before the start, expected at a quarter of them, and taken;
the items of each step; the load of the machine before and after; and the result.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
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
    """Yield the times and the result of each task on a run of one backbone."""
    from cxrcore import runs
    from cxrcore.audits import mitigations, shortcut
    from cxrcore.config import run_config
    from cxrcore.explain import faithfulness
    from cxrcore.progress import Step
    from cxrcore.training import pipeline

    config = run_config.make(dataset="real", backbone=key)
    run = pipeline.run(config, runs.create(config).folder)
    tasks: dict[str, tuple[Any, Any]] = {
        "shortcut audit": (shortcut.seconds, shortcut.audit),
        "mitigations": (mitigations.seconds, mitigations.compare),
        "faithfulness": (faithfulness.seconds, lambda run, progress: faithfulness.measure(run, progress=progress)),
    }
    for name, (seconds, work) in tasks.items():
        steps: dict[int, Step] = {}
        announced, before, start = seconds(run), os.getloadavg()[0], perf_counter()
        first: list[tuple[float, float]] = []  # after the first quarter of the announced time: seconds, and those left

        def note(step: Step, begun: float = start, quarter: float = announced / 4, found: Any = first) -> None:
            steps[step.number] = step  # noqa: B023
            elapsed = perf_counter() - begun
            if not found and elapsed > quarter and step.seconds_left is not None:
                found.append((elapsed, step.seconds_left))

        result = work(run, note)
        yield {
            "backbone": key,
            "task": name,
            "announced": round(announced, 1),
            "seconds": round(perf_counter() - start, 1),
            "expected_at_a_quarter": [round(elapsed + left, 1) for elapsed, left in first],
            "steps": {str(step.stage): step.total for step in steps.values()},
            "load": [round(before, 1), round(os.getloadavg()[0], 1)],
            "result": result.plain(),
        }


if __name__ == "__main__":
    main()
