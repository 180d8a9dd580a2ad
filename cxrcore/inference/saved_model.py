"""The saved model of a run: its head alone where the backbone can be built again, else the whole network.

A whole model goes from raw pixels (n, size, size, 3), 0 to 255, to probabilities (n, classes). Its layers are
`features` (see `FeatureKey.build`) and `head`.
"""

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from cxrcore.errors import DamagedFileError, UserError
from cxrcore.features import backbones
from cxrcore.features.key import FeatureKey
from cxrcore.features.weights import Weights
from cxrcore.inference import model_check
from cxrcore.runs import HEAD_FILE, WHOLE_MODEL_FILE, Run

if TYPE_CHECKING:
    from cxrcore.features.keras_setup import keras

_SHOWN = 12  # characters of a digest in a message


def has_model(run: Run) -> bool:
    """Return whether a run has a saved model."""
    return any((run.folder / name).is_file() for name in (HEAD_FILE, WHOLE_MODEL_FILE))


def stamp(run: Run) -> float:
    """Return when the model was saved, in seconds since 1970: part of the cache key of what is computed from it.

    Raises:
        UserError: the run has no model.
    """
    return run.model_file.stat().st_mtime


def save(run: Run, features: Callable[[], Any], head: "keras.Model") -> None:
    """Save the model of a run, in place of an earlier one.

    Only the head is saved, unless `Run.model_name` is that of a whole model. `features` returns the backbone's model,
    see `FeatureKey.build`.
    """
    if run.model_name == WHOLE_MODEL_FILE:
        run.save_with(WHOLE_MODEL_FILE, assemble(features(), head).save)
        return
    run.save_with(HEAD_FILE, head.save)
    (run.folder / WHOLE_MODEL_FILE).unlink(missing_ok=True)  # of a run of an older version that was continued


def load(run: Run, copy: bool = False) -> "keras.Model":
    """Return the whole model of a run.

    Frozen backbones are shared within a process, so the model must not be changed, unless it is a `copy`.

    Raises:
        UserError: the run has no model, or the weights of its backbone are missing or not those it was trained with.
        DamagedFileError: the saved file is damaged.
    """
    file = run.model_file
    saved = _load(file)
    if file.name == WHOLE_MODEL_FILE:
        return saved
    weights = _weights(run)
    key = run.config.key(weights.digest)
    return assemble(key.build(weights) if copy else shared_features(key, weights), saved)


def load_head(run: Run) -> "keras.Model":
    """Return the head of a run, from feature maps (n, h, w, c) to probabilities (n, classes), without the backbone.

    Raises:
        UserError: the run has no model.
        DamagedFileError: the saved file is damaged.
    """
    file = run.model_file
    saved = _load(file)
    return saved.get_layer("head") if file.name == WHOLE_MODEL_FILE else saved


def export(run: Run) -> bytes:
    """Return the whole model as the content of a `.keras` file.

    Raises:
        UserError, DamagedFileError: as `load` does.
    """
    saved = run.model_file
    if saved.name == WHOLE_MODEL_FILE:
        return saved.read_bytes()
    model = load(run)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / WHOLE_MODEL_FILE
        model.save(file)
        return file.read_bytes()


def assemble(features: "keras.Model", head: "keras.Model") -> "keras.Model":
    """Return the whole model of `features` (see `FeatureKey.build`) and a head; it shares the layers of both."""
    from cxrcore.features.keras_setup import keras

    pixels = keras.Input(features.input_shape[1:], name="raw_pixels")
    return keras.Model(pixels, head(features(pixels)), name="classifier")


@lru_cache(maxsize=1)
def shared_features(key: FeatureKey, weights: Weights) -> Any:
    """Return what `key.build` does, built once for the runs of this process that use it; it must not be changed.

    Raises:
        UserError: the file does not hold weights of this backbone.
    """
    return key.build(weights)


def _load(path: Path) -> "keras.Model":
    from cxrcore.features.keras_setup import keras

    try:
        model_check.check(path)
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError, BadZipFile) as error:
        raise DamagedFileError("{path} is damaged, or was written by another program.", path=path) from error


def _weights(run: Run) -> Weights:
    """Return the weights of a run's backbone, after comparing their SHA-256 with that of the training."""
    expected, title = run.info.weights_digest, backbones.get(run.config.backbone).title
    try:
        found = run.config.resolve()
    except UserError as error:
        raise UserError(
            "Run {name} needs the weights of {title} that it was trained with (SHA-256 {expected}...). {reason}",
            name=run.name,
            title=title,
            expected=expected[:_SHOWN],
            reason=error.message,
        ) from error
    if found.digest != expected:
        raise UserError(
            "Run {name} was trained with other weights of {title}: expected the SHA-256 {expected}..., but {path} has "
            "{found}... Put the original file there, or train the run again.",
            name=run.name,
            title=title,
            expected=expected[:_SHOWN],
            path=found.path,
            found=found.digest[:_SHOWN],
        )
    return found
