"""`python -m benchmarks [--json]`: needs ../shared, about 5 minutes on two cores."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter

SHARED = Path(__file__).parents[2] / "shared"
GRADCAM_MEASURED = 20
SECOND_RATES = (5e-4, 4e-4, 3e-4)  # the fastest counts, as with the tutorials' epochs: others use the machine


def main() -> None:
    """Measure both ways and print seconds and ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of the tutorials' way to time, at least 2")
    arguments = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit(f"The benchmark needs the real X-rays and weights in {SHARED}.")
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"CXR_HOME": home, "CXR_WEIGHTS_DIR": str(SHARED / "weights")}
        seconds = measure(max(2, arguments.epochs))
    theirs, ours = seconds["tutorial"], seconds["ours"]
    ratios = {
        "first_run": theirs["training"] / ours["first_run"],
        "second_run": theirs["training"] / ours["second_run"],
        "gradcam_test_set": theirs["gradcam"] / ours["gradcam"],
        "gradcam_pixels": theirs["gradcam"] / ours["gradcam_pixels"],
    }
    for name, ratio in ratios.items():
        print(f"{name:18} {ratio:8.0f} times faster", file=sys.stderr)
    print(json.dumps({"ratios": ratios, "seconds": seconds}) if arguments.json else json.dumps(seconds, indent=2))


def measure(epochs: int) -> dict[str, dict[str, float]]:
    """Return the seconds of both ways on the real images."""
    from benchmarks import our_way, tutorial_way
    from cxrcore.data.importing import import_folders

    start = perf_counter()
    data = import_folders([SHARED / "data" / "covid-chestxray-dataset", SHARED / "data" / "chest_xray"], "real")
    imported = perf_counter() - start
    first, run = our_way.run_seconds("real")
    second = min(our_way.run_seconds("real", learning_rate=rate)[0] for rate in SECOND_RATES)
    gradcam, pixels = our_way.gradcam_seconds(run), our_way.gradcam_from_pixels_seconds(run)
    start = perf_counter()
    x, y = tutorial_way.read(data.usable)
    reading = perf_counter() - start
    model = tutorial_way.build(SHARED / "weights" / "xception_notop.weights.h5")
    training, tested = tutorial_way.train_seconds(model, x, y, epochs)
    return {
        "ours": {
            "import": imported,
            "first_run": first,
            "second_run": second,
            "gradcam": gradcam,
            "gradcam_pixels": pixels,
        },
        "tutorial": {
            "reading": reading,
            "training": training,
            "gradcam": tutorial_way.gradcam_seconds(model, tested, GRADCAM_MEASURED),
        },
    }


if __name__ == "__main__":
    main()
