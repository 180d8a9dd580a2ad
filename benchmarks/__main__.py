"""`python -m benchmarks [--json]`: needs ../shared, about 5 minutes on two cores."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

SHARED = Path(__file__).parents[2] / "shared"
GRADCAM_MEASURED = 20
GRADCAM_REPEATS = 5  # of ours in a row: the tutorials' seconds are a mean over calls in a row as well


def main() -> None:
    """Measure cxrcore and the tutorials' code and print seconds and ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--rounds", type=int, default=3, help="of both in turns, at least 2")
    arguments = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit(f"The benchmark needs the real X-rays and weights in {SHARED}.")
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"CXR_HOME": home, "CXR_WEIGHTS_DIR": str(SHARED / "weights")}
        seconds = measure(max(2, arguments.rounds))
    theirs, ours = seconds["tutorial"], seconds["ours"]
    ratios = {
        "first_run": theirs["training"] / ours["first_runs"][0],
        "fastest_first_run": theirs["training"] / min(ours["first_runs"]),
        "second_run": theirs["training"] / min(ours["second_runs"]),
        "gradcam_test_set": theirs["gradcam"] / ours["gradcam"],
        "gradcam_pixels": theirs["gradcam"] / ours["gradcam_pixels"],
    }
    for name, ratio in ratios.items():
        print(f"{name:20} {ratio:8.0f} times faster", file=sys.stderr)
    share = ours["forward_pass"] / min(ours["first_runs"])
    print(f"The bare forward pass is {share:.0%} of the fastest first run.", file=sys.stderr)
    ratios["forward_pass_share"] = share
    print(json.dumps({"ratios": ratios, "seconds": seconds}) if arguments.json else json.dumps(seconds, indent=2))


def measure(rounds: int) -> dict[str, dict[str, Any]]:
    """Return the seconds of both on the real images.

    The two take turns, as others use the machine, whose speed changes within minutes. The first run that counts is the
    first thing that the process computes; those after it are faster, as TensorFlow has begun.
    """
    from benchmarks import cached_training, tutorial_training
    from cxrcore.data.importing import import_folders

    start = perf_counter()
    data = import_folders([SHARED / "data" / "covid-chestxray-dataset", SHARED / "data" / "chest_xray"], "real")
    imported = perf_counter() - start
    start = perf_counter()
    x, y = tutorial_training.read(data.usable)
    reading = perf_counter() - start
    model = tutorial_training.build(SHARED / "weights" / "xception_notop.weights.h5")
    parts = tutorial_training.split(x, y)
    first, second, epochs = [], [], []
    for number in range(rounds):
        cached_training.forget()
        first.append(cached_training.run_seconds("real")[0])
        seconds, run = cached_training.run_seconds("real", learning_rate=5e-4 - number * 1e-5)
        second.append(seconds)
        epochs.append(tutorial_training.epoch_seconds(model, parts))
        print(
            f"first {first[-1]:.1f} s, second {second[-1]:.1f} s, the tutorials' epoch {epochs[-1]:.1f} s",
            file=sys.stderr,
        )
    theirs, ours = [], []
    for _ in range(rounds):
        theirs.append(tutorial_training.gradcam_seconds(model, parts.test_x, GRADCAM_MEASURED))
        ours.append(float(np.mean([cached_training.gradcam_seconds(run) for _ in range(GRADCAM_REPEATS)])))
    return {
        "ours": {
            "import": imported,
            "first_runs": first,
            "second_runs": second,
            "forward_pass": cached_training.forward_seconds(run),
            "gradcam": min(ours),
            "gradcam_pixels": cached_training.gradcam_from_pixels_seconds(run),
        },
        "tutorial": {
            "reading": reading,
            "epochs": epochs,
            "training": tutorial_training.training_seconds(epochs),
            "gradcam": min(theirs),
        },
    }


if __name__ == "__main__":
    main()
