"""The checkpoint of a fit, from which it continues as if it had not been interrupted."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from cxrcore.errors import DamagedFileError

_LISTS = ("variables", "optimizer", "weights")
_EQUAL = "equal"  # in the file: by the place of a weight, the place of the variable that is equal to it


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
        """Write everything into one file (npz); weights that are equal to a variable are not written twice."""
        plain = {name: value for name, value in vars(self).items() if name not in _LISTS}
        places = [_find(value, self.variables) for value in self.weights]
        equal = {k: place for k, place in enumerate(places) if place is not None}
        arrays: dict[str, Any] = {
            f"{name} {k}": value for name in _LISTS for k, value in enumerate(getattr(self, name))
        }
        for k in equal:
            del arrays[f"weights {k}"]
        with path.open("wb") as file:
            np.savez(file, about=json.dumps(plain | {_EQUAL: equal}), **arrays)


def load(path: Path) -> Checkpoint | None:
    """Return what `Checkpoint.save` wrote, None where there is no file.

    Raises:
        DamagedFileError: it is truncated or something else.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            plain = json.loads(str(file["about"]))
            equal = {int(k): place for k, place in plain.pop(_EQUAL, {}).items()}  # absent in earlier versions
            arrays = {name: file[name] for name in file.files}
            arrays |= {f"weights {k}": arrays[f"variables {place}"].copy() for k, place in equal.items()}
            lists: dict[str, Any] = {
                name: [arrays[f"{name} {k}"] for k in range(_count(list(arrays), name))] for name in _LISTS
            }
            return Checkpoint(**plain, **lists)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, BadZipFile) as error:
        raise DamagedFileError("{path} is missing or damaged.", path=path) from error


def _find(value: np.ndarray, others: list[np.ndarray]) -> int | None:
    """Return the place in `others` of an array with the same bytes, None if there is none."""
    for place, other in enumerate(others):
        if (value.dtype, value.shape) == (other.dtype, other.shape) and value.tobytes() == other.tobytes():
            return place
    return None


def _count(files: list[str], name: str) -> int:
    return sum(file.startswith(f"{name} ") for file in files)
