"""What is asked of an explanation and what it holds: values that go from one process to another without TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PREDICTED = NONE = ""  # no class has this name


@dataclass(frozen=True)
class ClassScore:
    """The logit of `target`, a class or `PREDICTED`, less that of `contrast`, a class or `NONE`."""

    target: str = PREDICTED
    contrast: str = NONE

    def index(self, probabilities: np.ndarray, classes: Sequence[str]) -> int:
        """Return the index in `classes` of the class to explain; by the probabilities (classes,) for `PREDICTED`."""
        return int(np.argmax(probabilities)) if self.target == PREDICTED else classes.index(self.target)

    def weights(self, probabilities: np.ndarray, classes: Sequence[str]) -> np.ndarray:
        """Return the weights of the logits whose sum is explained, float32 (1, classes), see `gradients.heatmaps`."""
        found = np.zeros((1, len(classes)), np.float32)
        found[0, self.index(probabilities, classes)] = 1
        if self.contrast != NONE:
            found[0, classes.index(self.contrast)] -= 1
        return found


@dataclass(frozen=True)
class Explanation:
    """The prediction for one image and its heatmaps.

    Attributes:
        pixels: input of the model, uint8 (size, size, 3).
        probabilities: float32 (classes,).
        heatmaps: float32 (scores, h, w); a score is a class where no scores were given.
        ood_score: out-of-distribution score, above 1 beyond the threshold; None for a run without a detector.
        vector: mean of the feature map, float32 (c,).
    """

    pixels: np.ndarray
    probabilities: np.ndarray
    heatmaps: np.ndarray
    ood_score: float | None
    vector: np.ndarray
