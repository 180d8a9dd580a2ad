"""`python -m benchmarks.extraction [backbone]`: activations from image files, against `keras.predict` on pixels.

Needs ../shared. `keras.predict` is given the pixels of the real images in memory, at each of three batch sizes; the
best counts. Ours reads, decodes and resizes the files, computes, and writes the cache. All take turns, several times.
One ratio is to `keras.predict` alone, the other to it and the reading that it needs as well.
"""

import json
import os
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.__main__ import SHARED

IMAGES, ROUNDS, BATCHES = 80, 5, (8, 16, 32)


def main() -> None:
    """Print images a second of each way, and the ratios."""
    key = sys.argv[1] if len(sys.argv) > 1 else "xception"
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"CXR_HOME": home, "CXR_WEIGHTS_DIR": str(SHARED / "weights")}
        print(json.dumps(measure(key), indent=2))


def measure(key: str) -> dict[str, object]:
    """Return the rates, the best of `ROUNDS` each, and our two ratios."""
    from cxrcore.data.images import load
    from cxrcore.data.importing import import_folders
    from cxrcore.features import backbones, extract, openvino, weights
    from cxrcore.features.key import FeatureKey

    data = import_folders([SHARED / "data" / "covid-chestxray-dataset", SHARED / "data" / "chest_xray"], "real")
    table = data.usable.sample(IMAGES, random_state=0)
    backbone = backbones.get(key)
    found = weights.resolve(backbone, backbone.weights_kinds[0])
    feature_key = FeatureKey(key, found.digest, backbone.size, backbone.preprocessing, backbone.taps[-1])
    model = feature_key.build(found)
    compiled = openvino.Compiled(model)
    start = perf_counter()
    pixels = np.stack([load(Path(path), feature_key.size) for path in table["path"]])
    reading = perf_counter() - start
    for batch in BATCHES:
        model.predict(pixels[:batch], batch_size=batch, verbose=0)
    rates: dict[str, float] = {}

    def note(name: str, seconds: float) -> None:
        rates[name] = max(rates.get(name, 0.0), IMAGES / seconds)

    for number in range(1, ROUNDS + 1):
        for batch in BATCHES:
            start = perf_counter()
            model.predict(pixels, batch_size=batch, verbose=0)
            note(f"keras.predict, {batch}", perf_counter() - start)
        for name, computing in (("ours", model), ("ours, OpenVINO", compiled)):
            fresh = replace(feature_key, lungs=f"{name} {number}")  # a key of its own, so that nothing is kept yet
            start = perf_counter()
            extract.activations(table, fresh, found, partial(_given, computing))
            note(name, perf_counter() - start)
    best = max(rate for name, rate in rates.items() if name.startswith("keras"))
    with_reading = 1 / (1 / best + reading / IMAGES)
    ours = ("ours", "ours, OpenVINO")
    return {
        "backbone": key,
        "images_a_second": rates,
        "ratio_to_the_best_of_keras": {name: rates[name] / best for name in ours},
        "ratio_to_reading_and_the_best_of_keras": {name: rates[name] / with_reading for name in ours},
    }


def _given(model: Any) -> Any:
    return model


if __name__ == "__main__":
    main()
