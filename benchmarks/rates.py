"""`python -m benchmarks.rates`: images a second through each backbone, and the share of the time up to each tap,
for the table in `features/backbones.py`.
"""

from collections.abc import Callable
from time import perf_counter, process_time

import numpy as np

from cxrcore.features.backbones import BACKBONES
from cxrcore.features.extract import BATCH
from cxrcore.features.key import FeatureKey
from cxrcore.features.predict import predict
from cxrcore.features.weights import Weights

BATCHES = 4


def main() -> None:
    """Print the rate of each backbone at its default size and last tap, and the shares, with random weights.

    The shares are of processor time, of the fastest batch: what else the machine does then disturbs them little.
    """
    weights = Weights(None, "random-0")
    for key, backbone in BACKBONES.items():
        keys = [FeatureKey(key, "random-0", backbone.size, backbone.preprocessing, tap) for tap in backbone.taps]
        models = [feature_key.build(weights) for feature_key in keys]
        pixels = np.random.default_rng(0).integers(0, 256, (BATCH, backbone.size, backbone.size, 3), dtype=np.uint8)
        for model in models:
            predict(model, pixels)
        seconds = np.array([[_seconds(process_time, model, pixels) for model in models] for _ in range(BATCHES)])
        shares = ", ".join(f"{share:.2f}" for share in seconds.min(axis=0) / seconds.min(axis=0)[-1])
        whole = sum(_seconds(perf_counter, models[-1], pixels) for _ in range(BATCHES))
        print(f"{key:18} {BATCHES * BATCH / whole:6.1f} images/s, up to each tap {shares}", flush=True)


def _seconds(clock: Callable[[], float], model: object, pixels: np.ndarray) -> float:
    start = clock()
    predict(model, pixels)
    return clock() - start


if __name__ == "__main__":
    main()
