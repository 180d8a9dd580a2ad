"""How often the 95% intervals hold the truth: `python -m benchmarks.coverage [simulated test sets]`.

Test sets of 75 images, one a patient, drawn from a classifier whose confusion is known, in the shares of the tutorials'
classes. The truth of each metric is its value on the classifier's own probabilities.
"""

import sys

import numpy as np
import pandas as pd

from cxrcore.evaluation import confusion_matrix, metrics

CLASSES = ["COVID", "NORMAL", "OTHER INFECTION"]
SHARES = np.array([0.467, 0.267, 0.266])
# Rows: true class; what the classifier says, as probabilities.
ANSWERS = np.array([[0.90, 0.05, 0.05], [0.04, 0.86, 0.10], [0.05, 0.15, 0.80]])
IMAGES = 75


def main(count: int) -> None:
    """Print the share of test sets whose interval holds the truth, by metric."""
    rng, joint = np.random.default_rng(0), SHARES[:, None] * ANSWERS
    truth = {"accuracy": np.trace(joint)} | {
        name: float(f(joint[None])[0]) for name, f in confusion_matrix.OVERALL.items()
    }
    truth |= {f"sensitivity {name}": ANSWERS[k, k] for k, name in enumerate(CLASSES)}
    held: dict[str, list[bool]] = {name: [] for name in truth}
    for _ in range(count):
        found = metrics.evaluate(_drawn(rng, joint), CLASSES)
        values = {name: found[name] for name in ("accuracy", *confusion_matrix.OVERALL)}
        values |= {f"sensitivity {name}": found["by_class"][name]["recall"] for name in CLASSES}
        for name, value in values.items():
            low, high = value["ci95"]
            held[name].append(low is not None and low <= truth[name] <= high)
    for name, hits in held.items():
        print(f"{name:30} true {truth[name]:.3f}  held in {np.mean(hits):.3f} of {count}")


def _drawn(rng: np.random.Generator, joint: np.ndarray) -> pd.DataFrame:
    cells = rng.choice(9, size=IMAGES, p=joint.ravel())
    label, predicted = np.array(CLASSES)[cells // 3], np.array(CLASSES)[cells % 3]
    return pd.DataFrame({"label": label, "predicted": predicted, "patient": [f"p{k}" for k in range(IMAGES)]})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
