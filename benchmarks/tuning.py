"""`python -m benchmarks.tuning [backbone ...]`: fine-tuning on the real images, with and without cached features.

Needs ../shared. Prints the training loss of the frozen head and after the tuning, how far the saved model is from its
own predictions, and seconds an epoch: ours, and plain Keras's from pixels with the same layers unfrozen.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.__main__ import SHARED

if TYPE_CHECKING:
    from cxrcore.runs import Run


def main() -> None:
    """Measure each backbone, by default CXRTiny and MobileNetV2."""
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"CXR_HOME": home, "CXR_WEIGHTS_DIR": str(SHARED / "weights")}
        from cxrcore.data.importing import import_folders

        import_folders([SHARED / "data" / "covid-chestxray-dataset", SHARED / "data" / "chest_xray"], "real")
        for key in sys.argv[1:] or ("cxrtiny", "mobilenetv2"):
            print(json.dumps(measure(key), indent=2), flush=True)


def measure(key: str) -> dict[str, Any]:
    """Return the losses, the distance and the seconds of one backbone."""
    from cxrcore import runs
    from cxrcore.config import run_config
    from cxrcore.evaluation import metrics, saved_model
    from cxrcore.training import pipeline

    config = run_config.make(dataset="real", backbone=key, tune={}, keep="last")
    run = pipeline.run(config, runs.create(config).folder)
    head, tuned = ([e for e in run.epochs if e.phase == phase] for phase in ("head", "tuning"))
    again, _ = saved_model.evaluate(run)
    columns = metrics.probability_columns(run.classes)
    apart = np.abs(again[columns].to_numpy() - run.predictions("test")[columns].to_numpy()).max()
    kept = float(np.mean([epoch.seconds for epoch in tuned[1:]]))  # the first one compiles
    plain = _plain_seconds(run)
    assert run.config.tune
    return {
        "backbone": key,
        "after": run.config.tune.after,
        "loss_of_the_frozen_head": head[-1].loss,
        "loss_after_tuning": tuned[-1].loss,
        "largest_difference_after_reload": float(apart),
        "seconds_an_epoch": {"kept": kept, "plain": plain},
        "ratio": plain / kept,
    }


def _plain_seconds(run: "Run") -> float:
    """Return the seconds of an epoch of plain Keras on the pixels, training and validation as ours."""
    from cxrcore.data.images import load
    from cxrcore.features.keras_setup import keras
    from cxrcore.inference import saved_model

    model = saved_model.load(run)
    backbone = model.get_layer("features").get_layer("backbone")
    assert run.config.tune
    names = [layer.name for layer in backbone.layers]
    cut = names.index(run.config.tune.after)
    backbone.trainable = True
    for position, layer in enumerate(backbone.layers):
        layer.trainable = position > cut and not isinstance(layer, keras.layers.BatchNormalization)
    table = run.table
    pixels = np.stack([load(Path(path), run.config.size) for path in table["path"]]).astype(np.float32)
    labels = table["label"].map({name: k for k, name in enumerate(run.classes)}).to_numpy()
    train, validation = ((table["split"] == part).to_numpy() for part in ("train", "validation"))
    model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy")
    seconds = []
    for _ in range(3):
        start = perf_counter()
        model.fit(
            pixels[train], labels[train], batch_size=run.config.batch_size, verbose=0,
            validation_data=(pixels[validation], labels[validation]),
        )  # fmt: skip
        seconds.append(perf_counter() - start)
    return float(np.mean(seconds[1:]))


if __name__ == "__main__":
    main()
