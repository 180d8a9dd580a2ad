"""Cached features: one folder for each `FeatureKey`, files of many images each, read as memory maps.

Maps can be kept in float16, in a folder of their own; the probabilities of a head on maps change by less than 2e-4.
Means stay in float32: they are small, mean squares of VGG16 are larger than float16 allows, and the standard deviation
of a channel, from the difference of its mean square and squared mean, needs more digits: probabilities change by up to
0.07 (`python -m benchmarks.half_precision`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

import numpy as np

from cxrcore import settings
from cxrcore.features import cache
from cxrcore.features.key import FeatureKey
from cxrcore.files import atomic_path, parse_json, read_text, write_json
from cxrcore.schema import KEY, VERSION

# A shard is written at once from memory, so its size bounds the memory; a hundred thousand images of
# half a megabyte are then 800 files rather than 100,000.
SHARD_BYTES = 32 * 2**20
CHUNK_BYTES = 32 * 2**20


class Activations:
    """Maps of chosen images, float32 (n, h, w, c), left on disk until rows are asked for."""

    def __init__(self, shards: Sequence[Path], places: np.ndarray) -> None:
        """`places` is (n, 2): the shard and the row in it of each image."""
        self._shards, self._places = shards, places
        self._parts: tuple[Activations, ...] = ()

    def __len__(self) -> int:
        return len(self._places)

    @classmethod
    def joined(cls, parts: Sequence["Activations"]) -> "Activations":
        """Return the images of all `parts`, one after the other."""
        offsets = np.cumsum([0, *(len(part._shards) for part in parts)])
        places = [part._places + np.array([offset, 0]) for part, offset in zip(parts, offsets, strict=False)]
        made = cls([shard for part in parts for shard in part._shards], np.concatenate(places))
        made._parts = tuple(parts)  # which are in use as long as the whole is
        return made

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of one map."""
        height, width, channels = self._open(0).shape[1:]
        return height, width, channels

    def _open(self, shard: int) -> np.ndarray:
        """Return a shard as a memory map, opened each time: one that stays open keeps what was read of it in memory."""
        shard_maps: np.ndarray = np.load(self._shards[shard], mmap_mode="r")
        return shard_maps

    def chunks(self, numbers: np.ndarray) -> Iterator[np.ndarray]:
        """Yield `numbers` in parts whose maps take at most about `CHUNK_BYTES` of memory."""
        size = max(1, CHUNK_BYTES // (4 * int(np.prod(self.map_shape))))
        for start in range(0, len(numbers), size):
            yield numbers[start : start + size]

    def rows(self, numbers: Iterable[int]) -> np.ndarray:
        """Return the maps of these images in this order, float32 (len(numbers), h, w, c)."""
        places = self._places[np.fromiter(numbers, dtype=np.int64)]
        out = np.empty((len(places), *self.map_shape), np.float32)
        for shard in np.unique(places[:, 0]):
            mine = np.flatnonzero(places[:, 0] == shard)
            out[mine] = self._open(int(shard))[places[mine, 1]]
        return out


class Store:
    """The activations kept for one key. Several processes may add to it at once."""

    def __init__(self, key: FeatureKey) -> None:
        self._key, self._half = key, settings.half_precision() and not (key.pooled or key.moments)
        self.folder: Path = settings.features_folder() / (key.folder + ("-float16" if self._half else ""))

    def missing(self, hashes: Iterable[str]) -> list[str]:
        """Return the distinct image hashes that are not kept yet, in order."""
        kept = self._index()
        return [value for value in dict.fromkeys(hashes) if value not in kept]

    def add(self, hashes: Sequence[str], maps: np.ndarray) -> None:
        """Keep float32 maps (n, h, w, c). The index is written last: a shard without one does not count.

        A shard with values that float16 does not have is kept in float32.
        """
        with np.errstate(over="ignore"):
            kept = maps.astype(np.float16 if self._half else np.float32, copy=False)
        if self._half and not np.isfinite(kept).all():
            kept = maps
        write_json(self.folder / "about.json", {KEY: VERSION} | asdict(self._key))
        name = uuid4().hex
        with atomic_path(self.folder / f"{name}.npy") as temporary:
            np.save(temporary, kept)
        write_json(self.folder / f"{name}.index", list(hashes))
        cache.make_room(self.folder)

    def read(self, hashes: Sequence[str]) -> Activations:
        """Return the activations of these images, all of which must be kept."""
        index = self._index()
        names = sorted({index[value][0] for value in hashes})
        number = {name: position for position, name in enumerate(names)}
        shards = [self.folder / f"{name}.npy" for name in names]
        places = np.array([(number[index[value][0]], index[value][1]) for value in hashes], np.int64)
        found = Activations(shards, places.reshape(-1, 2))
        cache.use(self.folder, found)
        return found

    def _index(self) -> dict[str, tuple[str, int]]:
        index: dict[str, tuple[str, int]] = {}
        for path in self.folder.glob("[!.]*.index"):
            name = path.stem
            try:
                hashes = _hashes(path)
            except FileNotFoundError:
                raise
            except OSError:  # it may pass, so it is asked for again the next time
                continue
            index.update((value, (name, row)) for row, value in enumerate(hashes))
        return index


@lru_cache(maxsize=4096)
def _hashes(index: Path) -> tuple[str, ...]:
    """Return the images of a shard, none where its index is damaged: they are computed again. Its name is never used
    again, and a worker asks for each of its blocks.

    Raises:
        OSError: as `read_text`; only what is returned is kept.
    """
    try:
        found = parse_json(read_text(index))
    except ValueError:
        return ()
    return tuple(found) if isinstance(found, list) and all(isinstance(value, str) for value in found) else ()
