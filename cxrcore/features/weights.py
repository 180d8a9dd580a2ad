"""Which file holds a backbone's weights, and what its content is called in the cache."""

import hashlib
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from cxrcore import settings
from cxrcore.data.roots import open_within
from cxrcore.errors import UserError
from cxrcore.features import hdf5_check
from cxrcore.features.backbones import Backbone
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.progress import Progress

KERAS_WEIGHTS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
CONNECT_SECONDS, READ_SECONDS = 5, 20
MAX_BYTES = 2 * 2**30  # of a file

State = tuple[int, int, int]  # number, size and time of a file
# The folders that a file of weights may lie in, None for anywhere: who uses the command line has rights of his own.
_allowed: ContextVar[tuple[Path, ...] | None] = ContextVar("allowed", default=None)
_KEPT_DIGESTS = 16
known_digests: dict[tuple[Path | None, State], str] = {}  # a changed file has another state, and is hashed again


@dataclass(frozen=True)
class Weights:
    """`path` is None for random weights; `digest` names the content: a SHA-256, or `random-<seed>`. `state` is that of
    the file when it was read.
    """

    path: Path | None
    digest: str
    seed: int = 0
    state: State = (0, 0, 0)

    def load_into(self, model: Any) -> None:
        """Give `model` these weights; random ones are left to the constructor, under this seed.

        Raises:
            UserError: the file does not hold weights of this model, or others than when its digest was computed.
        """
        if self.path is None:
            return
        try:
            with warnings.catch_warnings(), _opened(self.path) as file:
                hdf5_check.check(file)
                # Keras only warns when a file lacks a layer, and leaves that layer at random.
                warnings.filterwarnings("error", "Skipping nested container", UserWarning)
                model.load_weights(self.path)
                if self.state not in ((0, 0, 0), _state(self.path.stat())):
                    raise UserError("the file was replaced meanwhile")
        except UserError as error:
            raise UserError(
                "{path} does not hold weights of {name}: {reason}",
                path=self.path,
                name=model.name,
                reason=error.message,
            ) from error
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
    try:
        with _opened(path or Path()) as opened:
            state = _state(os.fstat(opened.fileno()))
            known = known_digests.get((path, state))
            digest = known or hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        if kind == "file" and _allowed.get() is not None:
            raise _not_permitted() from error
        raise UserError(
            "weights_file: there is no file {path}. Give a .weights.h5 file of {title}.",
            path=path,
            title=backbone.title,
        ) from error
    if len(known_digests) >= _KEPT_DIGESTS:
        known_digests.clear()
    known_digests[path, state] = digest
    return Weights(path, digest, state=state)


def on_this_machine(weights: Weights, backbone: Backbone) -> Weights:
    """Return the same weights where a worker of a cluster has them: at the same path, or where its own are.

    Raises:
        UserError: neither is a file with the same content.
    """
    if weights.path is None:
        return weights
    for path in filter(None, (weights.path, on_disk(backbone))):
        if path.is_file() and (found := resolve(backbone, "file", path)).digest == weights.digest:
            return found
    raise UserError(
        "The worker on {machine} does not have the same weights of {title} ({file}). Give all workers the same folder "
        "as CXR_WEIGHTS_DIR.",
        machine=platform.node(),
        title=backbone.title,
        file=weights.path.name,
    )


@contextmanager
def only_permitted() -> Iterator[None]:
    """Within the block, files of weights are read only below `CXR_DATA_ROOTS` and `CXR_WEIGHTS_DIR`, as those that
    users of the dashboard name.
    """
    token = _allowed.set((*settings.data_roots(), *filter(None, [settings.weights_folder()])))
    try:
        yield
    finally:
        _allowed.reset(token)


def require_permitted(file: Path | None) -> None:
    """Raise `UserError` for a file of weights that users of the dashboard may not name. The text is the same whether
    there is such a file or not.
    """
    if file is None:
        return
    with only_permitted():
        try:
            _opened(file).close()
        except OSError as error:
            raise _not_permitted() from error


def _not_permitted() -> UserError:
    return UserError(
        "Weights file: expected a .h5 file of at most {most} GB in a folder that this dashboard may read "
        "(CXR_DATA_ROOTS, CXR_WEIGHTS_DIR).",
        most=MAX_BYTES // 2**30,
    )


def _opened(path: Path) -> BufferedReader:
    """Open a regular .h5 file of at most `MAX_BYTES`, in the allowed folders; raise `OSError` for others.

    Where Keras downloaded it to, and the bundled file, are allowed always.
    """
    own = path == BUNDLED_WEIGHTS or path.parent == _keras_cache()
    if path.suffix != ".h5":
        raise OSError(f"{path} is not a .h5 file")
    file = open_within(None if own else _allowed.get(), path)
    if os.fstat(file.fileno()).st_size > MAX_BYTES:
        file.close()
        raise OSError(f"{path} is too large")
    return file


def _state(status: os.stat_result) -> State:
    return status.st_ino, status.st_size, status.st_mtime_ns


def check_kind(backbone: Backbone, kind: str) -> None:
    """Raise `UserError` for a kind of weights that the backbone does not have."""
    if kind not in backbone.weights_kinds:
        raise UserError(
            "weights of {key}: expected one of {expected}. Received: {kind!r}",
            key=backbone.key,
            expected=", ".join(backbone.weights_kinds),
            kind=kind,
        )


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
