"""Where a fit was left, so that it goes on as if it had never been interrupted."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_LISTS = ("variables", "optimizer", "weights")


@dataclass(frozen=True)
class Checkpoint:
    """`epoch` is the last finished one and `rate` the learning rate the config or the user gave.

    `variables` are all of the body's, its random generators among them, `optimizer` the optimiser's, and `weights` the
    body's at epoch `kept`, with the lowest validation loss `best`. `callbacks` holds the counters of each callback by
    its name. `complete` is the number of epochs a fit that has ended was to have, 0 for one that has not.
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
    """Return what `Checkpoint.save` wrote, None where there is nothing."""
    if not path.is_file():
        return None
    with np.load(path) as found:
        lists: dict[str, Any] = {
            name: [found[f"{name} {k}"] for k in range(_count(found.files, name))] for name in _LISTS
        }
        return Checkpoint(**json.loads(str(found["about"])), **lists)


def _count(files: list[str], name: str) -> int:
    return sum(file.startswith(f"{name} ") for file in files)
