"""From images to cached features: each image passes the backbone once, whatever is trained on it later."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.data.errors import ImageError
from cxrcore.data.images import Upload, known_mask, load, read
from cxrcore.errors import UserError
from cxrcore.features import augmentation, cache, image_transforms, openvino, preprocessing
from cxrcore.features.key import FeatureKey
from cxrcore.features.predict import AT_ONCE, predict_stream
from cxrcore.features.store import SHARD_BYTES, Activations, Store
from cxrcore.progress import Progress, ignore

# Images that are decoded while those before them are in the model; small, so that a run can stop soon.
BATCH = 8
# What is computed is written at least this often, so that a run that is killed loses little.
FLUSH_SECONDS = 10


@dataclass(frozen=True)
class ExtractionCallbacks:
    """`progress(done, total)` after every batch; `check()` before it, which may raise to stop."""

    progress: Progress = ignore
    check: Callable[[], None] = lambda: None


def activations(
    table: pd.DataFrame, key: FeatureKey, model: Callable[[], Any], callbacks: ExtractionCallbacks | None = None
) -> Activations:
    """Return the activations of all rows of `table` (`path`, `sha256`), computing those not kept yet.

    `model` gives the Keras model of `key`, or what `openvino.compiled` made of it; it is called only if something has
    to be computed. What is computed before an interruption is kept.

    Raises:
        UserError: an image is missing or unreadable, or the disk is full.
    """
    callbacks = callbacks or ExtractionCallbacks()
    store = Store(key)
    cache.use(store.folder, store)  # so that it is not deleted while it is filled
    missing = store.missing(table["sha256"])
    if missing:
        rows = table.drop_duplicates("sha256").set_index("sha256").loc[missing]
        _compute(store, rows, key, openvino.compiled(model(), key.engine), callbacks)
    return store.read(list(table["sha256"]))


def activations_of_taps(
    table: pd.DataFrame,
    keys: Sequence[FeatureKey],
    backbone: Callable[[], Any],
    callbacks: ExtractionCallbacks | None = None,
) -> list[Activations]:
    """Return the activations of all rows for several keys that differ in the tap only; each image passes the backbone
    once for all of them.

    `backbone` gives the whole backbone (see `FeatureKey.build_backbone`); it is called only if something is missing.

    Raises:
        UserError: an image is missing or unreadable, or the disk is full.
    """
    callbacks = callbacks or ExtractionCallbacks()
    stores = [Store(key) for key in keys]
    for store in stores:
        cache.use(store.folder, store)
    missing = list(dict.fromkeys(value for store in stores for value in store.missing(table["sha256"])))
    if missing:
        rows = table.drop_duplicates("sha256").set_index("sha256").loc[missing]
        model, shapes = _flat_model(keys, backbone())
        computing = openvino.Compiled(model) if keys[0].engine == openvino.NAME else model
        _compute(_Stores(stores, shapes), rows, keys[0], computing, callbacks)
    return [store.read(list(table["sha256"])) for store in stores]


def _flat_model(keys: Sequence[FeatureKey], backbone: Any) -> tuple[Any, list[tuple[int, ...]]]:
    """Return a model from raw pixels to the maps of all keys, flattened and one after the other, (N, values), and the
    shape of each map.
    """
    from cxrcore.features.keras_setup import keras

    inputs = keras.Input((keys[0].size, keys[0].size, 3), name="pixels")
    taps = [backbone.get_layer(key.tap).output for key in keys]
    cut = keras.Model(backbone.input, taps)
    cut.trainable = False
    found = cut(preprocessing.apply(inputs, keys[0].preprocessing), training=False)
    pairs = enumerate(zip(keys, found, strict=True))
    maps = [key.finish([each], f"moments_{k}") for k, (key, each) in pairs]
    flat = [keras.layers.Flatten()(each) for each in maps]
    joined = flat[0] if len(flat) == 1 else keras.layers.Concatenate()(flat)
    return keras.Model(inputs, joined), [tuple(each.shape[1:]) for each in maps]


class _Stores:
    """Several stores that are given flat maps of all their keys."""

    def __init__(self, stores: Sequence[Store], shapes: Sequence[tuple[int, ...]]) -> None:
        self._stores, self._shapes = stores, shapes
        self._ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]

    def add(self, hashes: Sequence[str], flat: np.ndarray) -> None:
        """Keep flat maps, float32 (n, values)."""
        for store, shape, part in zip(self._stores, self._shapes, np.split(flat, self._ends, axis=1), strict=True):
            store.add(hashes, part.reshape(-1, *shape))


def batches(paths: Sequence[Path], size: int, hashes: Sequence[str] | None = None) -> Iterator[np.ndarray]:
    """Yield uint8 (BATCH or fewer, size, size, 3); the next batch is decoded while one is in use.

    Raises:
        UserError: an image cannot be read any more, or its SHA-256 is not the one in `hashes`, if given.
    """
    images = list(zip(paths, hashes or [""] * len(paths), strict=True))
    groups = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ahead = [pool.submit(_decode, path, digest, size) for path, digest in groups[0]] if groups else []
        for position in range(len(groups)):
            ready = ahead
            following = groups[position + 1] if position + 1 < len(groups) else []
            ahead = [pool.submit(_decode, path, digest, size) for path, digest in following]
            yield np.stack([future.result() for future in ready])


def masks_of(table: pd.DataFrame) -> list[np.ndarray | None]:
    """Return the lungs of each row, boolean (H, W), from its mask file; None for one missing, damaged or empty."""
    return [known_mask(file) for file in table["lungs"]]


def _compute(
    store: Store | _Stores, rows: pd.DataFrame, key: FeatureKey, model: Any, callbacks: ExtractionCallbacks
) -> None:
    """`rows` have the index SHA-256."""
    held: list[np.ndarray] = []
    done = kept = 0
    hashes, flushed = list(rows.index), monotonic()
    try:
        for maps in predict_stream(model, _transformed_batches(rows, key, callbacks)):
            held.append(maps)
            done += len(maps)
            callbacks.progress(done, len(rows))
            if sum(maps.nbytes for maps in held) >= SHARD_BYTES or monotonic() - flushed > FLUSH_SECONDS:
                store.add(hashes[kept:done], np.concatenate(held))
                held, kept, flushed = [], done, monotonic()
    finally:
        if held:
            store.add(hashes[kept:done], np.concatenate(held))


def _transformed_batches(rows: pd.DataFrame, key: FeatureKey, callbacks: ExtractionCallbacks) -> Iterator[np.ndarray]:
    """Yield batches of `rows` after the image transform and augmentation of `key`."""
    begun, hashes = 0, list(rows.index)
    for pixels in batches([Path(path) for path in rows["path"]], key.size, hashes):
        callbacks.check()
        end = begun + len(pixels)
        masks = masks_of(rows[begun:end]) if key.lungs == image_transforms.LUNGS_FROM_FILES else None
        seen = image_transforms.apply(pixels, key.image_transform, masks)
        yield augmentation.augmented(seen, hashes[begun:end], key.view, key.ranges) if key.ranges else seen
        begun = end


def _decode(path: Path, digest: str, size: int) -> np.ndarray:
    try:
        content = read(path)
        if digest and hashlib.sha256(content).hexdigest() != digest:
            raise ImageError("its content has changed")
        return load(Upload(path.name, content), size)
    except ImageError as error:
        raise UserError(
            "{path} could be read when it was imported, but not now: {error}. Import the dataset again.",
            path=path,
            error=error,
        ) from error
