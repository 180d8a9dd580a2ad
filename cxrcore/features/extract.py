"""From images to cached features: each image passes the backbone once, whatever is trained on it later."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any

import numpy as np
import pandas as pd

from cxrcore import cluster, logs, settings
from cxrcore.data.errors import ImageError
from cxrcore.data.images import Upload, known_mask, load, read
from cxrcore.errors import UserError
from cxrcore.features import (
    augmentation,
    backbones,
    blocks,
    cache,
    gpu_pass,
    gpus,
    image_transforms,
    openvino,
    preprocessing,
)
from cxrcore.features.blocks import Block
from cxrcore.features.key import FeatureKey
from cxrcore.features.predict import AT_ONCE, predict, predict_stream
from cxrcore.features.store import SHARD_BYTES, Activations, Store
from cxrcore.features.weights import Weights, on_this_machine
from cxrcore.progress import Progress, ignore

# Images that are decoded while those before them are in the model; small, so that a run can stop soon.
BATCH = 8
# What is computed is written at least this often, so that a run that is killed loses little.
FLUSH_SECONDS = 10
# How long what workers have written may take to be seen here; NFS keeps the list of a folder for up to a minute.
FILES_SECONDS = 120


@dataclass(frozen=True)
class ExtractionCallbacks:
    """`progress(done, total)` after every batch; `check()` before it, which may raise to stop."""

    progress: Progress = ignore
    check: Callable[[], None] = lambda: None


def activations(
    table: pd.DataFrame,
    key: FeatureKey,
    weights: Weights,
    model: Callable[[], Any],
    callbacks: ExtractionCallbacks | None = None,
) -> Activations:
    """Return the activations of all rows of `table` (`path`, `sha256`), computing those not kept yet.

    `model` gives the Keras model of `key` and `weights`, or what `openvino.compiled` made of it; it is called only if
    something has to be computed in this process. What is computed before an interruption is kept.

    Raises:
        UserError: an image is missing or unreadable, the disk is full, or the cluster cannot be used.
    """
    return _activations(table, [key], weights, lambda: _Model(openvino.compiled(model(), key.engine)), callbacks)[0]


def activations_of_taps(
    table: pd.DataFrame,
    keys: Sequence[FeatureKey],
    weights: Weights,
    backbone: Callable[[], Any],
    callbacks: ExtractionCallbacks | None = None,
) -> list[Activations]:
    """Return the activations of all rows for several keys that differ in the tap only; each image passes the backbone
    once for all of them.

    `backbone` gives the whole backbone (see `FeatureKey.build_backbone`); it is called only if something has to be
    computed in this process.

    Raises:
        UserError: an image is missing or unreadable, the disk is full, or the cluster cannot be used.
    """
    return _activations(table, keys, weights, lambda: _model(keys, backbone()), callbacks)


def compute_block(block: Block) -> int:
    """Compute, on a worker of a cluster, what is not kept yet of a block; return its number of images.

    Raises:
        UserError: an image is missing or unreadable, the disk is full, or the weights are not there.
    """
    stores = _used_stores(block.keys)
    if missing := _missing(stores, block.rows.index):
        model = _model_of_worker(block.keys, block.weights)
        _compute(stores, block.rows.loc[missing], block.keys[0], model, ExtractionCallbacks())
    return len(block.rows)


def _activations(
    table: pd.DataFrame,
    keys: Sequence[FeatureKey],
    weights: Weights,
    model: Callable[[], "_Model"],
    callbacks: ExtractionCallbacks | None,
) -> list[Activations]:
    callbacks = callbacks or ExtractionCallbacks()
    stores = _used_stores(keys)
    if missing := _missing(stores, table["sha256"]):
        rows = table.drop_duplicates("sha256").set_index("sha256").loc[missing]
        if settings.executor() is settings.Executor.DASK:
            _compute_on_cluster(stores, blocks.block(keys, weights, rows), callbacks)
        elif keys[0].engine != gpus.MIXED:
            _compute(stores, rows, keys[0], model(), callbacks)
        elif mixed := _in_mixed_precision(model(), rows, keys[0]):
            _compute(stores, rows, keys[0], mixed, callbacks)
        else:
            return _activations(table, [replace(key, engine="") for key in keys], weights, model, callbacks)
    return [store.read(list(table["sha256"])) for store in stores]


def _used_stores(keys: Sequence[FeatureKey]) -> list[Store]:
    """Return the stores of `keys`, which are not deleted while they are filled."""
    stores = [Store(key) for key in keys]
    for store in stores:
        cache.use(store.folder, store)
    return stores


def _missing(stores: Sequence[Store], hashes: Iterable[str]) -> list[str]:
    """Return the distinct image hashes that any store lacks."""
    wanted = list(hashes)
    return list(dict.fromkeys(value for store in stores for value in store.missing(wanted)))


@dataclass(frozen=True)
class _Model:
    """What gives the maps of one key, or of several keys with these shapes, flat and joined, (N, values)."""

    network: Any
    shapes: Sequence[tuple[int, ...]] = ()

    def maps(self, outputs: np.ndarray) -> list[np.ndarray]:
        """Return the maps of each key, float32 (n, h, w, c)."""
        if not self.shapes:
            return [outputs]
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])[:-1]
        parts = zip(self.shapes, np.split(outputs, ends, axis=1), strict=True)
        return [part.reshape(-1, *shape) for shape, part in parts]


def _model(keys: Sequence[FeatureKey], backbone: Any) -> _Model:
    """Return the model from raw pixels to the maps of `keys`, made of a whole backbone."""
    if len(keys) == 1:
        return _Model(openvino.compiled(keys[0].build_from(backbone), keys[0].engine))
    from cxrcore.features.keras_setup import keras

    inputs = keras.Input((keys[0].size, keys[0].size, 3), name="pixels")
    taps = [backbone.get_layer(key.tap).output for key in keys]
    cut = keras.Model(backbone.input, taps, name="backbone")
    cut.trainable = False
    found = cut(preprocessing.apply(inputs, keys[0].preprocessing), training=False)
    maps = [key.finish([each], f"moments_{k}") for k, (key, each) in enumerate(zip(keys, found, strict=True))]
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(each) for each in maps])
    shapes = [tuple(each.shape[1:]) for each in maps]
    return _Model(openvino.compiled(keras.Model(inputs, joined), keys[0].engine), shapes)


def _in_mixed_precision(exact: _Model, rows: pd.DataFrame, key: FeatureKey) -> _Model | None:
    """Return the model in mixed precision; None where this process has no GPU, or the tolerance is exceeded."""
    if not gpus.are_in_use():
        return None
    mixed = replace(exact, network=gpu_pass.in_mixed_precision(exact.network))
    pixels = next(_transformed_batches(rows.head(BATCH), key, ExtractionCallbacks()))
    expected, found = (model.maps(predict(model.network, pixels)) for model in (exact, mixed))
    worst = max(map(gpu_pass.difference, found, expected))
    text = "%s: activations of the first images in mixed precision differ by %.2g of the largest from those in float32"
    if worst <= gpu_pass.TOLERANCE:
        logs.LOGGER.info(text, key.backbone, worst)
        return mixed
    logs.LOGGER.warning(f"{text}; float32 is used, as this is more than %.2g", key.backbone, worst, gpu_pass.TOLERANCE)
    gpus.use_float32(key.backbone)
    return None


_building = Lock()


def _model_of_worker(keys: Sequence[FeatureKey], weights: Weights) -> _Model:
    """Return the model of `keys`, built once in this process for all image transforms and augmented copies."""
    plain = tuple(replace(key, image_transform="", lungs="", view=0, ranges=None) for key in keys)
    with _building:
        return _built(plain, weights)


@lru_cache(maxsize=2)  # two runs may take turns
def _built(keys: tuple[FeatureKey, ...], weights: Weights) -> _Model:
    return _model(keys, keys[0].build_backbone(on_this_machine(weights, backbones.get(keys[0].backbone))))


def _compute_on_cluster(stores: Sequence[Store], whole: Block, callbacks: ExtractionCallbacks) -> None:
    done = 0
    with cluster.connected() as connection:
        parts = whole.split(connection.threads, BATCH)
        with closing(connection.results(compute_block, parts, callbacks.check)) as counts:
            for count in counts:
                done += count
                callbacks.progress(done, len(whole.rows))
    _wait_for_files(stores, whole, callbacks)


def _wait_for_files(stores: Sequence[Store], whole: Block, callbacks: ExtractionCallbacks) -> None:
    """Wait until the files of the workers are seen here: network file systems keep the lists of folders for a while."""
    start = monotonic()
    while missing := _missing(stores, whole.rows.index):
        if monotonic() - start > FILES_SECONDS:
            raise UserError(
                "The workers have computed the activations, but those of {count} images are not in {folder}. All "
                "machines of the cluster must see the same folder there.",
                count=len(missing),
                folder=settings.features_folder(),
            )
        callbacks.check()
        sleep(1)


def batches(
    paths: Sequence[Path], size: int, hashes: Sequence[str] | None = None, images: int = BATCH
) -> Iterator[np.ndarray]:
    """Yield uint8 (`images` or fewer, size, size, 3); the next batch is decoded while one is in use.

    Raises:
        UserError: an image cannot be read any more, or its SHA-256 is not the one in `hashes`, if given.
    """
    files = list(zip(paths, hashes or [""] * len(paths), strict=True))
    groups = [files[start : start + images] for start in range(0, len(files), images)]
    with ThreadPoolExecutor(AT_ONCE if images == BATCH else os.cpu_count()) as pool:  # more: a GPU computes meanwhile
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
    stores: Sequence[Store], rows: pd.DataFrame, key: FeatureKey, model: _Model, callbacks: ExtractionCallbacks
) -> None:
    """`rows` have the index SHA-256."""
    held: list[np.ndarray] = []
    done = kept = 0
    hashes, flushed = list(rows.index), monotonic()
    network = gpu_pass.fitted(model.network, key)
    pixels = _transformed_batches(rows, key, callbacks, max(BATCH, getattr(network, "images", BATCH)))

    def keep() -> None:
        for store, maps in zip(stores, model.maps(np.concatenate(held)), strict=True):
            store.add(hashes[kept:done], maps)

    try:
        for outputs in predict_stream(network, pixels):
            held.append(outputs)
            done += len(outputs)
            callbacks.progress(done, len(rows))
            if sum(maps.nbytes for maps in held) >= SHARD_BYTES or monotonic() - flushed > FLUSH_SECONDS:
                keep()
                held, kept, flushed = [], done, monotonic()
    finally:
        if held:
            keep()


def _transformed_batches(
    rows: pd.DataFrame, key: FeatureKey, callbacks: ExtractionCallbacks, images: int = BATCH
) -> Iterator[np.ndarray]:
    """Yield batches of `rows`, `images` or fewer each, after the image transform and augmentation of `key`."""
    begun, hashes = 0, list(rows.index)
    for pixels in batches([Path(path) for path in rows["path"]], key.size, hashes, images):
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
