"""`python -m benchmarks.rates`: images a second through each backbone, for the table in `features/backbones.py`."""

from time import perf_counter

import numpy as np

from cxrcore.features.backbones import BACKBONES
from cxrcore.features.extract import BATCH
from cxrcore.features.key import FeatureKey
from cxrcore.features.predict import predict
from cxrcore.features.weights import Weights

BATCHES = 4


def main() -> None:
    """Print the rate of each backbone at its default size and last tap, with random weights."""
    for key, backbone in BACKBONES.items():
        feature_key = FeatureKey(key, "random-0", backbone.size, backbone.preprocessing, backbone.taps[-1])
        model = feature_key.build(Weights(None, "random-0"))
        pixels = np.random.default_rng(0).integers(0, 256, (BATCH, backbone.size, backbone.size, 3), dtype=np.uint8)
        predict(model, pixels)
        start = perf_counter()
        for _ in range(BATCHES):
            predict(model, pixels)
        print(f"{key:18} {BATCHES * BATCH / (perf_counter() - start):6.1f} images/s", flush=True)


if __name__ == "__main__":
    main()
