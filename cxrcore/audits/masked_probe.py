"""How well the class can be told from altered images: a linear head on the features of a run's backbone, learned anew
and cross-validated by patient. The question is what this backbone offers a head on these images.

A backbone that was fine-tuned has seen the classes of the images it learned from, so nothing could be held out from it:
it is asked as it was before.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from cxrcore.features import backbones, extract, image_transforms, lung_segmenter, openvino, weights
from cxrcore.features.config import FILES, FeatureSpec
from cxrcore.i18n import N_
from cxrcore.messages import msg
from cxrcore.runs import Run

Progress = Callable[[str, int, int], None]


def chance(labels: pd.Series) -> float:
    """Return the share of the largest class."""
    return float(labels.value_counts(normalize=True).max())


def features(run: Run, table: pd.DataFrame, alteration: str, progress: Progress, files: bool = False) -> np.ndarray:
    """Return the pooled features, by the backbone as it came, of images after `alteration`, float32 (n, c).

    Lungs come from mask files if `files`.

    Raises:
        UserError: weights or images are gone.
    """
    config, backbone = run.config, backbones.get(run.config["backbone"])
    found = weights.resolve(backbone, config["weights"], config["weights_file"], config["seed"])
    mode = "unit" if config["preprocessing"] == "unit" else backbone.preprocessing
    origin = (FILES if files else lung_segmenter.digest()) if image_transforms.needs_lungs(alteration) else ""
    engine = openvino.engine_for(backbone.key)
    spec = FeatureSpec(
        backbone.key, found.digest, config["size"], mode, config["tap"], True, alteration, origin, engine=engine
    )
    name = msg("features, {what}", what=alteration or N_("whole image"))
    hooks = extract.Hooks(progress=lambda done, total: progress(name, done, total))
    return extract.activations(table, spec, lambda: spec.build(found), hooks).rows(range(len(table)))[:, 0, 0]
