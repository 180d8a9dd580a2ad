"""Coverage of the 95 % intervals: `python -m benchmarks.coverage [simulated test sets]`.

Test sets of 75 images, one per patient, are drawn from a classifier with a known confusion matrix and the class shares
of the tutorials. The true value of each metric is its value on the classifier's own probabilities.
"""

import sys

import numpy as np
import pandas as pd

from cxrcore.evaluation import confusion_matrix, metrics

CLASSES = ["COVID", "NORMAL", "OTHER INFECTION"]
SHARES = np.array([0.467, 0.267, 0.266])
# Probabilities of the predicted class; rows: true class.
PREDICTED = np.array([[0.90, 0.05, 0.05], [0.04, 0.86, 0.10], [0.05, 0.15, 0.80]])
IMAGES = 75


def main(count: int) -> None:
    """Print the share of test sets whose interval contains the true value, by metric."""
    rng, joint = np.random.default_rng(0), SHARES[:, None] * PREDICTED
    truth = {"accuracy": np.trace(joint)} | {
        name: float(f(joint[None])[0]) for name, f in confusion_matrix.OVERALL.items()
    }
    truth |= {f"sensitivity {name}": PREDICTED[k, k] for k, name in enumerate(CLASSES)}
    covered: dict[str, list[bool]] = {name: [] for name in truth}
    for _ in range(count):
        found = metrics.evaluate(_drawn(rng, joint), CLASSES)
        values = {name: getattr(found, name) for name in ("accuracy", *confusion_matrix.OVERALL)}
        values |= {f"sensitivity {name}": found.by_class[name].recall for name in CLASSES}
        for name, metric in values.items():
            low, high = metric.low, metric.high
            covered[name].append(low is not None and high is not None and low <= truth[name] <= high)
    for name, inside in covered.items():
        print(f"{name:30} true {truth[name]:.3f}  covered in {np.mean(inside):.3f} of {count}")


def _drawn(rng: np.random.Generator, joint: np.ndarray) -> pd.DataFrame:
    cells = rng.choice(9, size=IMAGES, p=joint.ravel())
    label, predicted = np.array(CLASSES)[cells // 3], np.array(CLASSES)[cells % 3]
    return pd.DataFrame({"label": label, "predicted": predicted, "patient": [f"p{k}" for k in range(IMAGES)]})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
