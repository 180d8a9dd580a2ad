"""The other rounds of a design: the same recipe trained and tested on other splits of the same images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import split
from cxrcore.evaluation import intervals, metrics
from cxrcore.runs import Run
from cxrcore.training.callbacks import Callback
from cxrcore.training.run_recorder import RunRecorder
from cxrcore.training.training_data import TrainingData

FILE, TABLE = "rounds.json", "rounds.parquet"
_SHOWN = ("accuracy", "balanced_accuracy", "macro_f1")


def splits(config: RunConfig, table: pd.DataFrame) -> list[pd.Series]:
    """Return the part of each row of `table` in every round; raise `UserError` where one cannot be made."""
    count = 1 if config.design.kind == "holdout" else config.design.rounds
    return [_parts(config, table, number) for number in range(count)]


def _parts(config: RunConfig, table: pd.DataFrame, number: int) -> pd.Series:
    chosen, design = config.split, config.design
    if chosen.kind == "given":
        return split.given(table, chosen.validation, chosen.seed)
    if design.kind == "kfold":
        images = chosen.kind == "tutorial"
        return split.fold(table, number, design.rounds, chosen.validation, chosen.seed, images)
    by = split.by_patient if chosen.kind == "patient" else split.tutorial
    return by(table, chosen.test, chosen.validation, chosen.seed + number)


def run_others(
    config: RunConfig, result: Run, material: TrainingData, splits: list[pd.Series], recorder: RunRecorder,
    fresh: Callable[[], None],
) -> None:  # fmt: skip
    """Train and test rounds 2 and on; every finished one is kept at once, and is not done again by a continued run.

    `fresh` gives a tuned backbone its first weights back.
    """
    from cxrcore.training import train_model

    recorder.stage("rounds", len(splits))
    first = result.predictions(split.TEST)
    tables = {1: first} | _kept(result)
    _write(result, config, tables, splits, material)
    recorder.progress(len(tables), len(splits))
    for number, parts in enumerate(splits, start=1):
        if number in tables:
            continue
        fresh()
        learned = train_model.learn(config, material, parts, _Checked(recorder))
        if learned.fit.stopped:
            recorder.check()
        tested = np.flatnonzero(parts == split.TEST)
        answers = train_model.probabilities(learned, material, tested, recorder)
        rows = material.table.iloc[tested].assign(split=split.TEST)
        tables[number] = metrics.predictions(rows, answers, material.classes)
        _write(result, config, tables, splits, material)
        recorder.progress(len(tables), len(splits))


class _Checked(Callback):
    """Only the request to stop or to wait is heard in a later round."""

    def __init__(self, recorder: RunRecorder) -> None:
        self.check = recorder.check  # type: ignore[method-assign]


def forget_others(config: RunConfig, result: Run) -> None:
    """Remove what rounds of another recipe said, as of a run that goes on for more epochs."""
    found = result.optional(FILE)
    if found and found["recipe"] != _recipe(config):
        (result.folder / FILE).unlink()


def _recipe(config: RunConfig) -> dict[str, Any]:
    return config.model_dump(mode="json", exclude={"dataset_version", "tensorboard"})


def _kept(result: Run) -> dict[int, pd.DataFrame]:
    """Return the later rounds that a continued run has finished already."""
    if not result.optional(FILE):
        return {}
    table = pd.read_parquet(result.folder / TABLE)
    return {number: part.drop(columns="round") for number, part in table.groupby("round") if number > 1}


def _write(
    result: Run, config: RunConfig, tables: dict[int, pd.DataFrame], splits: list[pd.Series], material: TrainingData
) -> None:
    joined = pd.concat([table.assign(round=number) for number, table in sorted(tables.items())], ignore_index=True)
    result.write_table(TABLE, joined)
    found = {number: metrics.evaluate(table, material.classes) for number, table in tables.items()}
    ratio = float(np.mean([(parts == split.TEST).sum() / (parts == split.TRAIN).sum() for parts in splits]))
    result.write(FILE, summary(config, [found[number] for number in sorted(found)], ratio))


def summary(config: RunConfig, found: list[dict[str, Any]], ratio: float) -> dict[str, Any]:
    """Return what is said of the rounds: `kind`, `planned`, `recipe`, `done` (the accuracy of each), and of some
    metrics the `mean` over the rounds with its interval, `{"value", "ci95", "rounds", "n"}`; n counts tested images.

    `ratio` is tested to trained images, which the interval needs (see `intervals.of_rounds`).
    """
    means = {}
    for name in _SHOWN:
        values = [row[name]["value"] for row in found if row[name]["value"] is not None]
        if not values:
            continue
        means[name] = {
            "value": float(np.mean(values)),
            "ci95": list(intervals.of_rounds(values, ratio) or (None, None)),
            "rounds": len(values),
            "n": sum(row["n"] for row in found),
        }
    return {
        "kind": config.design.kind,
        "planned": config.design.rounds,
        "recipe": _recipe(config),
        "done": [row["accuracy"] for row in found],
        "mean": means,
    }
