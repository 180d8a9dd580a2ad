"""Does the shortcut audit tell planted marks from none? `python -m benchmarks.shortcut [seeds]`.

For each seed phantoms with a mark burned into every image of one class, and without, trained with CXRTiny; how many of
each are called a shortcut.
"""

import os
import sys
import tempfile

from cxrcore import runs
from cxrcore.audits import shortcut
from cxrcore.config import run_config
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.training import pipeline

PATIENTS, IMAGES = 30, 2


def main(seeds: int) -> None:
    """Print the verdicts and the best border accuracy of each seed."""
    wrong = 0
    for seed in range(seeds):
        for planted in ("COVID", None):
            name = f"{'planted' if planted else 'plain'}-{seed}"
            phantoms.create(name, PATIENTS, IMAGES, seed, planted)
            chosen = run_config.make(dataset=name, epochs=20)
            run = pipeline.run(chosen, runs.create(chosen.model_dump(mode="json")).folder)
            found = shortcut.audit(run)
            best = max(part["accuracy"] for key in ("border", "border_pixels") for part in found[key].values())
            right = (found["verdict"] == "shortcut") == bool(planted)
            wrong += not right
            print(f"{name:12} {found['verdict']:11} border at most {best:.2f}, chance {found['chance']:.2f}"
                  f"{'' if right else '  WRONG'}", flush=True)  # fmt: skip
    print(f"wrong: {wrong} of {2 * seeds}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["CXR_HOME"] = home
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
