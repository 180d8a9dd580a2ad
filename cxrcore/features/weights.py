"""Which file holds a backbone's weights, and what its content is called in the cache."""

import hashlib
import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cxrcore import settings
from cxrcore.errors import UserError
from cxrcore.features.backbones import Backbone
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.progress import Progress

KERAS_WEIGHTS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
CONNECT_SECONDS, READ_SECONDS = 5, 20


@dataclass(frozen=True)
class Weights:
    """`path` is None for random weights; `digest` names the content: a SHA-256, or `random-<seed>`."""

    path: Path | None
    digest: str
    seed: int = 0

    def load_into(self, model: Any) -> None:
        """Give `model` these weights; random ones are left to the constructor, under this seed.

        Raises:
            UserError: the file does not hold weights of this model.
        """
        if self.path is None:
            return
        try:
            with warnings.catch_warnings():
                # Keras only warns when a file lacks a layer, and leaves that layer at random.
                warnings.filterwarnings("error", "Skipping nested container", UserWarning)
                model.load_weights(self.path)
        except (ValueError, OSError, KeyError, UserWarning) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(
                "{path} does not hold weights of {name}: {reason}", path=self.path, name=model.name, reason=reason
            ) from error


def on_disk(backbone: Backbone) -> Path | None:
    """Return the file of the backbone's own weights if it is available: bundled, the user's folder, Keras's."""
    if backbone.download is None:
        return BUNDLED_WEIGHTS
    places = [_keras_cache() / Path(backbone.download[0]).name]
    if folder := settings.weights_folder():
        places.insert(0, folder / _file_name(backbone))
    return next((place for place in places if place.is_file()), None)


def resolve(
    backbone: Backbone, kind: str, file: Path | None = None, seed: int = 0, progress: Progress | None = None
) -> Weights:
    """Return the weights of `kind`: `imagenet`, `bundled`, `file` or `random`; downloads if it must.

    `progress` is called with (bytes done, bytes in all).

    Raises:
        UserError: the backbone has no such weights, the file is absent, or the download failed.
    """
    check_kind(backbone, kind)
    if kind == "random":
        return Weights(None, f"random-{seed}", seed)
    path = file if kind == "file" else on_disk(backbone) or _download(backbone, progress)
    if path is None or not path.is_file():
        raise UserError(
            "weights_file: there is no file {path}. Give a .weights.h5 file of {title}.",
            path=path,
            title=backbone.title,
        )
    status = path.stat()
    return Weights(path, _digest(path, status.st_size, status.st_mtime_ns))


def check_kind(backbone: Backbone, kind: str) -> None:
    """Raise `UserError` for a kind of weights that the backbone does not have."""
    if kind not in backbone.weights_kinds:
        raise UserError(
            "weights of {key}: expected one of {expected}. Received: {kind!r}",
            key=backbone.key,
            expected=", ".join(backbone.weights_kinds),
            kind=kind,
        )


@lru_cache(maxsize=16)
def _digest(path: Path, size: int, modified: int) -> str:
    """Return the SHA-256 of a file; size and time are part of the cache key, so a changed file is hashed again."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file_name(backbone: Backbone) -> str:
    return f"{backbone.key}_notop.weights.h5"


def _keras_cache() -> Path:
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"


class _Report:
    """What pooch expects of a progress bar, passed on to `progress`."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.total, self.done = progress, 0, 0

    def update(self, amount: int) -> None:
        self.done += amount
        self.progress(self.done, self.total)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing to close."""


def _download(backbone: Backbone, progress: Progress | None) -> Path:
    """Fetch Keras's own file into Keras's own cache, so that other programs share it."""
    import pooch
    import requests

    assert backbone.download is not None
    address, md5 = backbone.download
    fetch = pooch.HTTPDownloader(
        progressbar=_Report(progress) if progress else False, timeout=(CONNECT_SECONDS, READ_SECONDS)
    )
    try:
        file = pooch.retrieve(
            KERAS_WEIGHTS_URL + address,
            known_hash=f"md5:{md5}" if md5 else None,
            fname=Path(address).name,
            path=_keras_cache(),
            downloader=fetch,
        )
    except (requests.RequestException, OSError, ValueError) as error:
        where = settings.weights_folder() or "a folder of yours, named by CXR_WEIGHTS_DIR"
        raise UserError(
            "The ImageNet weights of {title} ({megabytes:g} MB) are not on this machine and could not be "
            "downloaded ({name}). Without a network: put {backbone} into {where}, or choose CXRTiny "
            "(bundled) or random weights.",
            title=backbone.title,
            megabytes=backbone.megabytes,
            name=type(error).__name__,
            backbone=_file_name(backbone),
            where=where,
        ) from error
    return Path(file)
