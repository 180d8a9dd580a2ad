"""The data of a logistic head: means over the feature maps of every candidate, and the maps of chosen images."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset
from cxrcore.features import backbones, extract, graph
from cxrcore.features.augmentation import AugmentationRanges
from cxrcore.features.config import AUTO
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import CHUNK_BYTES, Activations, Store
from cxrcore.features.weights import Weights
from cxrcore.inference.labels import class_indices
from cxrcore.progress import Progress
from cxrcore.runs import rate
from cxrcore.training.run_recorder import RunRecorder
from cxrcore.training.selection import Candidate, Examples

LARGER = 320  # pixels, tried beside a backbone's own size
_AT_ONCE = 4096  # images


class PooledData:
    """Table, labels and pooled features of a run with a logistic head.

    Attributes:
        config: of the run.
        table: the images, one row each.
        classes: names, in the order of the class indices.
        labels: class indices, int (n,).
        sizes: the input sizes whose features are there, the backbone's own first.
        left_out: an input size that the time budget did not allow, 0 for none.
    """

    def __init__(
        self,
        config: RunConfig,
        table: pd.DataFrame,
        trained: np.ndarray,
        classes: list[str],
        weights: Weights,
        recorder: RunRecorder,
    ) -> None:
        """Compute what is not kept yet. `trained` tells which rows are trained on in any fold or repeat, bool (n,).

        Raises:
            UserError: an image is missing, or the disk is full.
        """
        self.config, self.table, self.classes, self.left_out = config, table, classes, 0
        self.labels = class_indices(table["label"], classes)
        self._weights, self._recorder = weights, recorder
        self._backbone = cache(self._build_backbone)
        self._augmented = np.flatnonzero(trained) if config.augment else np.empty(0, int)
        self._means: dict[tuple[int, str], Activations] = {}
        own = config.size or backbones.get(config.backbone).size
        pace = self._add(own) * (own / LARGER) ** 2 or backbones.get(config.backbone).rate_at(LARGER)
        self.sizes = [own]
        if is_larger_tried(config):
            if is_within_budget(config, self._missing(LARGER) / pace):
                self._add(LARGER)
                self.sizes.append(LARGER)
            else:
                self.left_out = LARGER

    @cached_property
    def candidates(self) -> list[Candidate]:
        """What can be chosen: the config's own taps, or those of the backbone's that can be, at each size."""
        if self.config.tap != AUTO:
            return [Candidate(size, self.config.tap) for size in self.sizes]
        taps = backbones.get(self.config.backbone).joined_taps
        return [Candidate(size, tap) for size in self.sizes for tap in taps]

    def means(self, candidate: Candidate, rows: np.ndarray) -> np.ndarray:
        """Return the means of values and squares, float32 (len(rows), 2c), in the order of `graph.moments`. They are
        read from the disk.
        """
        taps = [self._means[candidate.size, tap] for tap in candidate.tap.split("+")]
        parts = [np.split(each.rows(rows)[:, 0, 0], 2, axis=1) for each in taps]
        return np.concatenate([*(values for values, _ in parts), *(squares for _, squares in parts)], axis=1)

    def last_channels(self, candidate: Candidate) -> int:
        """Return the number of channels of the candidate's last tap."""
        return self._means[candidate.size, candidate.tap.split("+")[-1]].map_shape[2] // 2

    def vectors(self, candidate: Candidate, rows: np.ndarray) -> np.ndarray:
        """Return mean and standard deviation of each channel, float32 (len(rows), 2c)."""
        return graph.summary(self.means(candidate, rows)[:, None, None], of_moments=True)

    def examples(self, rows: np.ndarray) -> Examples:
        """Return these images as examples to train on."""
        from cxrcore.training import losses

        labels, count = self.labels[rows], len(self.classes)
        smoothing = self.config.label_smoothing
        weights = losses.class_weights(labels, count, self.config.class_weights)
        views = self.config.augment.views if self.config.augment else 0
        places = np.searchsorted(self._augmented, rows)
        offsets = len(self.table) + len(self._augmented) * np.arange(views)
        return Examples(
            rows=rows,
            labels=labels,
            patients=list(self.table["patient"].iloc[rows]),
            targets=np.eye(count)[labels] * (1 - smoothing) + smoothing / count,
            weights=weights[labels].astype(np.float64),
            copies=places[:, None] + offsets[None] if views else np.empty((len(rows), 0), int),
        )

    def maps(self, candidate: Candidate, rows: np.ndarray) -> "JoinedMaps":
        """Return the maps of these images, computing what is not kept yet."""
        table = self.table.iloc[rows]
        keys = [replace(key, moments=False, pooled=False) for key in self._keys(candidate.size, candidate.tap)]
        report = partial(self._report, 0, len(table))
        return JoinedMaps(self._activations(table, keys, report))

    def _add(self, size: int) -> float:
        """Compute the means at an input size that are not kept yet; return how many images a second passed the
        backbone, 0 where (nearly) all were kept already.
        """
        views = self._views(size)
        keys = views[0][1]
        total, done = sum(len(table) for table, _ in views), 0
        self._recorder.stage("larger" if self._means else "features", total)
        paces = []
        parts = []
        for table, each in views:
            pace = _Pace(partial(self._report, done, total))
            parts.append(self._activations(table, each, pace))
            paces.append(pace)
            done += len(table)
        for k, key in enumerate(keys):
            self._means[size, key.tap] = Activations.joined([activations[k] for activations in parts])
        seconds, images = sum(pace.seconds for pace in paces), sum(pace.images for pace in paces)
        if seconds:
            rate.keep(self._recorder.run, images / seconds, size)
        return images / seconds if seconds else 0.0

    def _missing(self, size: int) -> int:
        """Return how many images and copies have no means at an input size yet."""
        return sum(len(Store(keys[-1]).missing(table["sha256"])) for table, keys in self._views(size))

    def _views(self, size: int) -> list[tuple[pd.DataFrame, list[FeatureKey]]]:
        """Return all images with the keys of the taps, and the images that are trained on with those of each copy."""
        taps = self.config.tap if self.config.tap != AUTO else "+".join(backbones.get(self.config.backbone).taps)
        keys = self._keys(size, taps)
        augment = self.config.augment
        views = [(self.table, keys)]
        if augment:
            ranges = AugmentationRanges(**augment.model_dump(exclude={"views"}))
            copied = self.table.iloc[self._augmented]
            for view in range(1, augment.views + 1):
                views.append((copied, [replace(key, view=view, ranges=ranges) for key in keys]))
        return views

    def _keys(self, size: int, taps: str) -> list[FeatureKey]:
        config = self.config.model_copy(update={"size": size, "tap": "any"})
        key = config.key(self._weights.digest, pooled=True)
        return [replace(key, tap=tap) for tap in taps.split("+")]

    def _activations(self, table: pd.DataFrame, keys: Sequence[FeatureKey], progress: Any) -> list[Activations]:
        callbacks = extract.ExtractionCallbacks(progress, self._recorder.check)
        backbone = partial(self._backbone, keys[0].size)
        return extract.activations_of_taps(table, keys, self._weights, backbone, callbacks)

    def _build_backbone(self, size: int) -> Any:
        return self._keys(size, "any")[0].build_backbone(self._weights)

    def _report(self, before: int, total: int, done: int, _: int) -> None:
        self._recorder.progress(before + done, total)


class JoinedMaps:
    """Kept maps of several taps as one map of values and squares, float32 (n, h, w, 2c); see `graph.moments`."""

    def __init__(self, taps: Sequence[Activations]) -> None:
        self._taps = taps
        self._moments = graph.moments([each.map_shape for each in taps])

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one map."""
        height, width, channels = self._moments.output_shape[1:]
        return height, width, channels

    def chunks(self, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """Yield `numbers` in parts whose maps take at most about `CHUNK_BYTES` of memory."""
        return _chunks(numbers, CHUNK_BYTES // (4 * int(np.prod(self.map_shape))))

    def rows(self, numbers: Iterable[int]) -> np.ndarray:
        """Return the maps of these images in this order."""
        chosen = list(numbers)
        return np.asarray(self._moments([each.rows(chosen) for each in self._taps]))


class PooledMaps:
    """Means over maps as maps of one cell, float32 (n, 1, 1, 2c)."""

    def __init__(self, data: PooledData, candidate: Candidate) -> None:
        self._data, self._candidate = data, candidate

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one map."""
        return 1, 1, int(self._data.means(self._candidate, np.arange(1)).shape[1])

    def chunks(self, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """Yield `numbers` in parts of some thousands."""
        return _chunks(numbers, _AT_ONCE)

    def rows(self, numbers: Iterable[int]) -> np.ndarray:
        """Return the maps of these images in this order."""
        return self._data.means(self._candidate, np.fromiter(numbers, dtype=np.int64))[:, None, None]


def _chunks(numbers: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield `numbers` in parts of `size`, at least 1."""
    for start in range(0, len(numbers), max(1, size)):
        yield numbers[start : start + max(1, size)]


@dataclass
class _Pace:
    """Passes on the progress of one pass over the images, and measures it: `images` took `seconds`, from the first
    report on. What comes before it is not the forward pass. Both stay 0 where (nearly) all was kept already.
    """

    report: Progress
    images: int = 0
    seconds: float = 0.0
    _first: tuple[float, int] | None = None

    def __call__(self, done: int, total: int) -> None:
        now = perf_counter()
        self._first = self._first or (now, done)
        self.seconds, self.images = now - self._first[0], done - self._first[1]
        self.report(done, total)


def is_larger_tried(config: RunConfig) -> bool:
    """Tell whether `LARGER` is tried beside the backbone's own size if there is time for it.

    It is for backbones that were trained on photographs; CXRTiny's phantoms gain nothing from a larger input.
    """
    backbone = backbones.get(config.backbone)
    return config.size == 0 and backbone.size < LARGER <= backbone.sizes[1] and bool(backbone.constructor)


def is_within_budget(config: RunConfig, seconds: float) -> bool:
    """Tell whether the time budget allows a pass at `LARGER` that takes so many seconds; 0 allows none."""
    return 0 < config.budget >= seconds


def development(parts: pd.Series) -> np.ndarray:
    """Return the rows that a logistic head is trained on: the training and the validation part, as it is validated by
    cross-validation inside them.
    """
    return np.flatnonzero(parts != dataset.TEST)
