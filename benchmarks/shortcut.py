"""Accuracy of the shortcut audit: `python -m benchmarks.shortcut [seeds]`.

For each seed, CXRTiny is trained on phantoms with a marker in every image of one class, and on phantoms without; the
audit should find a shortcut in the first only.
"""

import os
import sys
import tempfile

from cxrcore import runs
from cxrcore.audits import shortcut
from cxrcore.config import run_config
from cxrcore.data.classes import COVID
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.training import pipeline

PATIENTS, IMAGES = 30, 2


def main(seeds: int) -> None:
    """Print the result and the best border accuracy of each seed."""
    wrong = 0
    for seed in range(seeds):
        for planted in (COVID, None):
            name = f"{'planted' if planted else 'plain'}-{seed}"
            phantoms.create(name, PATIENTS, IMAGES, seed, planted)
            config = run_config.make(dataset=name, epochs=20)
            found = shortcut.audit(pipeline.run(config, runs.create(config).folder))
            best = max(metric.value or 0 for metric in [*found.border.values(), *found.border_pixels.values()])
            correct = found.is_shortcut == bool(planted)
            wrong += not correct
            result = f"{'shortcut' if found.is_shortcut else 'none found':11}{'' if correct else ' WRONG'}"
            print(f"{name:12} {result} border at most {best:.2f}, chance {found.chance:.2f}", flush=True)
    print(f"wrong: {wrong} of {2 * seeds}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["CXR_HOME"] = home
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
