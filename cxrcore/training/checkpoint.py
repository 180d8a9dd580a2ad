"""The checkpoint of a fit, from which it continues as if it had not been interrupted."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from cxrcore.errors import DamagedFileError

_LISTS = ("variables", "optimizer", "weights")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a fit after an epoch.

    Attributes:
        phase: `head` or `tuning`.
        epoch: the last finished epoch.
        rate: the learning rate that the config or the user gave.
        kept: the epoch whose weights are kept so far, with the validation loss `best`.
        best: see `kept`.
        variables: all variables of the trained model, its random generators among them.
        optimizer: the variables of the optimiser.
        weights: those of the model at epoch `kept`.
        callbacks: the counters of each Keras callback by its class name.
        complete: the number of epochs that a fit that has ended was planned for, 0 for one that has not ended.
    """

    phase: str
    epoch: int
    rate: float
    kept: int
    best: float
    variables: list[np.ndarray]
    optimizer: list[np.ndarray]
    weights: list[np.ndarray]
    callbacks: dict[str, dict[str, Any]]
    complete: int = 0

    def save(self, path: Path) -> None:
        """Write everything into one file (npz)."""
        plain = {name: value for name, value in vars(self).items() if name not in _LISTS}
        arrays = {f"{name} {k}": value for name in _LISTS for k, value in enumerate(getattr(self, name))}
        with path.open("wb") as file:
            np.savez(file, about=json.dumps(plain), **arrays)


def load(path: Path) -> Checkpoint | None:
    """Return what `Checkpoint.save` wrote, None where there is no file.

    Raises:
        DamagedFileError: it is truncated or something else.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            lists: dict[str, Any] = {
                name: [file[f"{name} {k}"] for k in range(_count(file.files, name))] for name in _LISTS
            }
            return Checkpoint(**json.loads(str(file["about"])), **lists)
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise DamagedFileError("{path} is missing or damaged.", path=path) from error


def _count(files: list[str], name: str) -> int:
    return sum(file.startswith(f"{name} ") for file in files)
