"""The model of a trained run, loaded."""

import threading

import numpy as np

from cxrcore.features import graph, image_transforms
from cxrcore.features.predict import predict
from cxrcore.inference import ood, saved_model
from cxrcore.inference.logit_model import LogitModel
from cxrcore.runs import Run

_LOCK = threading.RLock()


class Classifier:
    """The model of one run; its methods can be called from several threads.

    Attributes:
        classes: in the order of the model's outputs.
        model: from pixels, 0 to 255, (n, size, size, 3), to probabilities (n, classes).
        features: the part of `model` from pixels to feature maps (n, h, w, c).
        head: the part from feature maps to probabilities.
        logit_model: from pixels to logits.
        ood: the out-of-distribution detector, None for a run without one.
        image_transform: the run's, "" for none.
        lock: held while the model computes, as Keras models are not thread-safe; one for all classifiers, which share
            frozen backbones.
    """

    def __init__(self, run: Run) -> None:
        """Load the run's model.

        Raises:
            UserError: the run has no model, or its backbone's weights are missing or not those it was trained with.
            DamagedFileError: its model is damaged.
        """
        self.model = saved_model.load(run)
        self.features, self.head = self.model.get_layer("features"), self.model.get_layer("head")
        self.logit_model = LogitModel(self.model)
        self.classes = run.classes
        self.ood = ood.load(run.folder / ood.FILE)
        self.image_transform, self._last = run.config.image_transform, graph.last_channels(self.features)
        self.lock = _LOCK

    @property
    def size(self) -> int:
        """Input height and width in pixels."""
        return int(self.model.input_shape[1])

    def transform(self, pixels: np.ndarray) -> np.ndarray:
        """Return the input of the model for images uint8 (n, size, size, 3): the run's image transform is applied."""
        return image_transforms.apply(pixels, self.image_transform)

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) of transformed images, uint8 (n, size, size, 3)."""
        with self.lock:
            return predict(self.model, pixels)

    def feature_maps(self, pixels: np.ndarray) -> np.ndarray:
        """Return the tap's maps, float32 (n, h, w, c), of transformed images, uint8 (n, size, size, 3)."""
        with self.lock:
            return predict(self.features, pixels)

    def head_probabilities(self, maps: np.ndarray) -> np.ndarray:
        """Return float32 (n, classes) of feature maps (n, h, w, c)."""
        with self.lock:
            return predict(self.head, maps)

    def vectors(self, maps: np.ndarray) -> np.ndarray:
        """Return what describes an image in the run's features, float32 (n, c), from maps: see `graph.descriptor`."""
        return graph.descriptor(maps, self._last)

    def ood_score(self, vectors: np.ndarray) -> np.ndarray | None:
        """Return the out-of-distribution score (n,) of mean features (n, c), above 1 beyond the threshold.

        None for a run without a detector.
        """
        return self.ood.score(vectors) if self.ood else None
