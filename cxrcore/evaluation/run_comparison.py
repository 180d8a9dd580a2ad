"""Runs side by side: their results with intervals, and the settings in which they differ."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from cxrcore.runs import Run

METRICS = ("accuracy", "balanced_accuracy", "macro_f1")
# Settings that follow from another one or say nothing of the recipe.
_UNSAID = {"weights_file", "tensorboard"}
_ABSENT: dict[str, Any] = {"value": None, "ci95": (None, None)}


def settings_of(run: Run) -> dict[str, Any]:
    """Return the settings of a run under dotted names, for example `split.seed`; a section that is off is None."""
    return {name: value for name, value in run.settings.items() if name not in _UNSAID}


def differing(runs: Sequence[Run]) -> list[str]:
    """Return the names of the settings that are not the same in all runs, in the order of the config; one
    that a run of an older version knows nothing of is left out.
    """
    found = [settings_of(run) for run in runs]
    names = dict.fromkeys(name for values in found for name in values)
    known = [name for name in names if all(name in values or name.split(".")[0] in values for values in found)]
    return [name for name in known if len({str(values.get(name)) for values in found}) > 1]


def table(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row a run: `run`, `title`, `tags`, `state`, `n_test`, each of `METRICS` as value, `_low` and `_high`,
    `rounds` and their `mean_accuracy`, `kept_epoch`, `seconds`, and the settings that differ.

    What a run does not have, as it has no results yet, is missing (NaN or None).
    """
    names = differing(runs)
    return pd.DataFrame([_row(run, names) for run in runs])


def _row(run: Run, names: list[str]) -> dict[str, Any]:
    metrics, card, rounds, chosen = run.metrics or {}, run.card, run.rounds, settings_of(run)
    row: dict[str, Any] = {
        "run": run.name,
        "title": card["title"],
        "tags": ", ".join(card["tags"]),
        "state": run.status["state"],
        "n_test": metrics.get("n_test"),
    }
    for name in METRICS:
        found = metrics.get(name) or _ABSENT
        row |= {name: found["value"], f"{name}_low": found["ci95"][0], f"{name}_high": found["ci95"][1]}
    mean = rounds["mean"]["accuracy"] if rounds else _ABSENT
    row |= {
        "rounds": len(rounds["done"]) if rounds else 1,
        "mean_accuracy": mean["value"], "mean_accuracy_low": mean["ci95"][0], "mean_accuracy_high": mean["ci95"][1],
        "kept_epoch": metrics.get("kept_epoch"),
        "seconds": metrics.get("seconds", {}).get("total"),
    }  # fmt: skip
    return row | {name: _plain(chosen.get(name)) for name in names}


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str | bool) or value is None else str(value)
