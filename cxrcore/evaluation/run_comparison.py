"""Runs side by side: their results with intervals, and the settings in which they differ."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cxrcore.evaluation import verdict
from cxrcore.metric import Metric
from cxrcore.runs import Run

METRICS = ("accuracy", "balanced_accuracy", "macro_f1")
# Settings that do not change the model: a path beside `weights`, and an output.
_NOT_COMPARED = {"weights_file", "tensorboard"}
Cell = float | int | str | bool | None


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the dotted names of the settings that are not the same in all runs (`Run.settings` of each), in the order
    of the config.
    """
    names = dict.fromkeys(name for each in settings for name in each if name not in _NOT_COMPARED)
    return [name for name in names if len({str(each.get(name)) for each in settings}) > 1]


def table(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row for each run: `run`, `title`, `tags`, `state`, `n_test`, each of `METRICS` as value, `_low` and
    `_high`, `resampling` (finished folds or repeats, 1 without resampling), `verdict` (its level) with the accuracy of
    the `baseline`, `kept_epoch`, `seconds`, and the settings that differ. With two folds or more the metrics are means
    over them, and `n_test` counts the images of all.

    Values that a run does not have, for example before its results, are missing (NaN or None).
    """
    names = differing([run.settings for run in runs])
    return pd.DataFrame([_row(run, names) for run in runs])


def _row(run: Run, names: list[str]) -> dict[str, Cell]:
    metrics, card, averaged, settings = run.metrics, run.card, run.averaged, run.settings
    found = {name: getattr(metrics.test, name) for name in METRICS} if metrics else {}
    found = averaged.mean if averaged else found
    row: dict[str, Cell] = {
        "run": run.name,
        "title": card.title,
        "tags": ", ".join(card.tags),
        "state": run.status.state,
        "n_test": found["accuracy"].n if found else None,
    }
    for name in METRICS:
        row |= _cells(name, found.get(name))
    row["resampling"] = len(averaged.done) if averaged else 1
    judged = verdict.of_run(run)
    row["verdict"] = judged.level if judged else None
    row |= _cells("baseline", judged.baseline if judged else None)
    row["kept_epoch"] = metrics.kept_epoch if metrics else None
    row["seconds"] = metrics.seconds.get("total") if metrics else None
    return row | {name: _cell(settings.get(name)) for name in names}


def _cells(name: str, metric: Metric | None) -> dict[str, Cell]:
    metric = metric or Metric(None)
    return {name: metric.value, f"{name}_low": metric.low, f"{name}_high": metric.high}


def _cell(value: object) -> Cell:
    return value if isinstance(value, int | float | str | bool) or value is None else str(value)
