"""The training images that are most similar to an image in the run's features."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxrcore.features import graph
from cxrcore.features.store import Store
from cxrcore.inference.arrays import read_arrays
from cxrcore.inference.ood import directions
from cxrcore.runs import Run

FILE = "vectors.npz"


def save(path: Path, rows: np.ndarray, vectors: np.ndarray) -> None:
    """Write the mean features, float (n, c), of `rows` of a run's table, scaled to length 1 and in half precision."""
    with path.open("wb") as file:
        np.savez_compressed(file, rows=rows.astype(np.int32), vectors=directions(vectors).astype(np.float16))


def nearest(run: Run, vector: np.ndarray, count: int = 5) -> pd.DataFrame | None:
    """Return the `count` training images with the highest `similarity` (cosine, -1 to 1) to a mean feature (c,).

    The columns are those of the run's table. Of a large run, 2,000 training images were kept. None for a run of an
    older version, which kept none.

    Raises:
        DamagedFileError: the file is damaged.
    """
    kept = read_arrays(run.folder / FILE, "rows", "vectors")
    if kept is None:
        return None
    rows, vectors = kept
    similarity = vectors.astype(np.float32) @ directions(vector[None])[0]
    best = np.argsort(-similarity, kind="stable")[:count]
    return run.table.iloc[rows[best]].assign(similarity=similarity[best]).reset_index(drop=True)


def nearest_to_kept(run: Run, sha256: str, count: int = 5) -> pd.DataFrame | None:
    """Return the same as `nearest` for an image whose feature map is in the cache, without the image itself.

    Needs no TensorFlow. None if the map is not kept (any more), if the run was fine-tuned, or if `nearest` has none.

    Args:
        run: the run.
        sha256: of the image file.
        count: of images.

    Raises:
        DamagedFileError: the file of the training images' features is damaged.
    """
    kept = read_arrays(run.folder / FILE, "vectors")
    config = run.config
    if kept is None or config.tune:
        return None
    digest = run.info.weights_digest
    pooled = replace(config.key(digest, pooled=True), tap=config.taps[-1])  # what a logistic head is trained on
    stores = [store for store in map(Store, (config.key(digest), pooled)) if not store.missing([sha256])]
    if not stores:
        return None
    vector = graph.descriptor(stores[0].read([sha256]).rows([0]), kept[0].shape[1])[0]
    if len(vector) != kept[0].shape[1]:  # of a run of an older version
        return None
    found = nearest(run, vector, count + 1)
    return None if found is None else found[found["sha256"] != sha256].head(count).reset_index(drop=True)
