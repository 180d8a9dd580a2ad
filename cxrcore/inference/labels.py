"""From class names to class indices."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd


def class_indices(labels: Iterable[str], classes: Sequence[str]) -> np.ndarray:
    """Return the index in `classes` of each label, int64 (n,).

    Raises:
        ValueError: a label is none of the classes.
    """
    indices = {name: index for index, name in enumerate(classes)}
    labels = labels.tolist() if isinstance(labels, pd.Series) else list(labels)  # a tenth of the time of iterating
    if unknown := sorted(set(labels) - set(indices)):
        raise ValueError(f"labels: expected some of {list(classes)}. Received: {unknown}")
    return np.array([indices[label] for label in labels], np.int64)
