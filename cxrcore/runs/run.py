"""A run folder: everything about one training, written atomically.

config.json          the validated config             about.json      classes, digest of the weights, versions
table.parquet        the images and their split       status.json     state, stage, progress, process
events.jsonl         one line per epoch or event      log.txt         output of the process
state-*.npz          checkpoints to continue from     card.json       title, tags and note
resampling.json      results of folds or repeats      resampling.parquet  their predictions
head.keras           feature maps to probabilities    model.keras     in its place: raw pixels to probabilities
metrics.json         test metrics with intervals
predictions.parquet  validation and test images       heatmaps.npy    Grad-CAM of the test images
selection.json       what the head was chosen from  verdict.json    whether the run went wrong
novelty.npz          out-of-distribution detector     vectors.npz     features of training images, to find similar ones
shortcut.json        the shortcut audit, if made      mitigations.json  the mitigations, if measured
faithfulness.json    checks of heatmaps, if made      learning_curve.json  the learning curve, if computed
notes.json           notes on test images             shown.json      if shown where read-only
evaluations/         external validation              tasks/          work in progress
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from cachetools import LRUCache, cached

from cxrcore import schema, settings
from cxrcore.config.run_config import RunConfig, validated
from cxrcore.data.classes import positive
from cxrcore.errors import DamagedFileError, UserError
from cxrcore.files import Stamp, atomic_path, note_change, parse_json, read_text_lines, stamp
from cxrcore.messages import Message
from cxrcore.metric import Metric
from cxrcore.runs.models import (
    EpochMetrics,
    ResamplingResult,
    RunCard,
    RunEvent,
    RunInfo,
    RunMetrics,
    RunStatus,
    Selection,
    ShownMark,
    state_label,
)

EVENTS, SELECTION = "events.jsonl", "selection.json"
HEAD_FILE, WHOLE_MODEL_FILE = "head.keras", "model.keras"  # which one a run has: see `inference.saved_model.save`
RESAMPLING, RESAMPLING_TABLE = "resampling.json", "resampling.parquet"
_RESAMPLING_OF_VERSION_1 = {RESAMPLING: "rounds.json", RESAMPLING_TABLE: "rounds.parquet"}
_SHOWN = "shown.json"
_TABLE_BYTES = 100 * 2**20  # of the tables that are kept in memory
_Line = TypeVar("_Line", EpochMetrics, RunEvent)


@dataclass(frozen=True)
class Run:
    """One run, read from disk whenever asked. A file that is damaged raises `DamagedFileError`."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name, which identifies the run."""
        return self.folder.name

    @property
    def requested(self) -> RunConfig:
        """The config as it was given: what is chosen when the run starts is still open."""
        return RunConfig.read(self.folder / "config.json")

    @property
    def selection(self) -> Selection | None:
        """What the logistic head was chosen from, None before that and for other heads."""
        return Selection.read_if_present(self.folder / SELECTION)

    @property
    def config(self) -> RunConfig:
        """The config, with the taps and the input size once they are chosen, before the evaluation."""
        requested = self.requested
        if not requested.chooses:
            return requested
        if (found := self.selection) is None:
            if (self.folder / "metrics.json").is_file():
                raise DamagedFileError("{path} is missing or damaged.", path=self.folder / SELECTION)
            return requested
        try:
            return validated(requested.plain() | {"tap": found.tap, "size": found.size})
        except UserError as error:  # no such tap or size
            raise DamagedFileError("{path} is not valid: {error}", path=self.folder / SELECTION, error=error) from error

    @property
    def settings(self) -> dict[str, Any]:
        """The config under dotted names, for example `split.seed`; a section that is off is None."""
        return _flat(self.config.plain())

    @property
    def status(self) -> RunStatus:
        """State, stage and progress."""
        return RunStatus.read(self.folder / "status.json")

    @property
    def info(self) -> RunInfo:
        """Classes, weights, dataset and versions of packages."""
        return RunInfo.read(self.folder / "about.json")

    @property
    def classes(self) -> list[str]:
        """The classes in the model's order."""
        return self.info.classes

    @property
    def positive(self) -> str:
        """The positive class of a two-class question, "" for more classes."""
        info = self.info
        return positive(info.classes, info.dataset.info.positive)

    @property
    def epochs(self) -> list[EpochMetrics]:
        """The finished epochs."""
        return _valid(EpochMetrics, [line for line in self._lines() if "event" not in line])

    @property
    def events(self) -> list[RunEvent]:
        """What a user, the schedule and warnings did while the run was trained."""
        return _valid(RunEvent, [line for line in self._lines() if "event" in line])

    @property
    def metrics(self) -> RunMetrics | None:
        """The test metrics, or None before the evaluation."""
        return RunMetrics.read_if_present(self.folder / "metrics.json")

    @property
    def results(self) -> RunMetrics:
        """The test metrics. Raises `UserError` when there are none."""
        if (found := self.metrics) is None:
            raise UserError(
                "Run {name} has no results ({state}). Choose a finished run.",
                name=self.name,
                state=self._state_label,
            )
        return found

    @property
    def is_phantom(self) -> bool:
        """Whether every image is synthetic."""
        return self.info.dataset.info.phantom is not None

    @property
    def table(self) -> pd.DataFrame:
        """The images the run used, with their part in `split`."""
        return self.read_table("table.parquet")

    @property
    def resampling(self) -> ResamplingResult | None:
        """The results of all folds or repeats, None for a single split."""
        return ResamplingResult.read_if_present(self.resampling_file(RESAMPLING))

    @property
    def averaged(self) -> ResamplingResult | None:
        """The results of the folds or repeats once two of them are done, None before and for a single split."""
        found = self.resampling
        return found if found and len(found.done) > 1 else None

    @property
    def headline(self) -> Metric | None:
        """The accuracy that stands for the run: the mean over its folds or repeats, of a single split (and before the
        second fold is done) that of the test images. None before the evaluation.
        """
        if found := self.averaged:
            return found.mean["accuracy"]
        metrics = self.metrics
        return metrics.test.accuracy if metrics else None

    def resampling_file(self, name: str) -> Path:
        """Return the path of `RESAMPLING` or `RESAMPLING_TABLE`; version 1 had another name for it."""
        older = self.folder / _RESAMPLING_OF_VERSION_1[name]
        return older if older.is_file() and not (self.folder / name).is_file() else self.folder / name

    @property
    def model_name(self) -> str:
        """The name of the file that the run's model is saved as: the whole model where the backbone was fine-tuned or
        has random weights, as those depend on the version of Keras, and there is no file to compare them with.
        """
        return WHOLE_MODEL_FILE if self.config.tune or self.config.weights == "random" else HEAD_FILE

    @property
    def model_file(self) -> Path:
        """The saved head, or the whole model where that was saved. Raises `UserError` when there is none."""
        for name in (HEAD_FILE, WHOLE_MODEL_FILE):
            if (path := self.folder / name).is_file():
                return path
        if self.metrics:
            raise UserError(
                "Run {name} has no model: its file {file} is missing. Put it back, or train the run again.",
                name=self.name,
                file=self.model_name,
            )
        raise UserError(
            "Run {name} has no model ({state}). Choose a finished run.",
            name=self.name,
            state=self._state_label,
        )

    @property
    def card(self) -> RunCard:
        """Title, tags and note."""
        return RunCard.read_if_present(self.folder / "card.json") or RunCard()

    @property
    def title(self) -> str:
        """What people call the run, "" if it was given no title."""
        return self.card.title

    @property
    def _state_label(self) -> Message:
        return state_label(self.status.state)

    def describe(self, **values: Any) -> None:
        """Change the card, for example `describe(title="baseline")`."""
        self.card.model_copy(update=values).write(self.folder / "card.json")

    @property
    def shown(self) -> bool:
        """Whether the run is shown where the dashboard is read-only."""
        return (self.folder / _SHOWN).is_file()

    def show(self, shown: bool) -> None:
        """Mark the run as shown where the dashboard is read-only, or remove the mark."""
        settings.require_writable()
        if shown:
            ShownMark().write(self.folder / _SHOWN)
        else:
            (self.folder / _SHOWN).unlink(missing_ok=True)
            note_change()

    def predictions(self, split: str = "test") -> pd.DataFrame:
        """Return the prediction table of the validation or test images."""
        table = self.read_table("predictions.parquet")
        return table[table["split"] == split].reset_index(drop=True)

    def resampled_predictions(self) -> pd.DataFrame:
        """Return the prediction tables of all folds or repeats as one, those of the first one first; `number`, from 1,
        tells which. Raises `DamagedFileError` if there are none.
        """
        table = self.read_table(self.resampling_file(RESAMPLING_TABLE).name)
        return table.rename(columns={"round": "number"})  # its name in version 1

    def heatmaps(self) -> np.ndarray:
        """Return the test images' Grad-CAM, float32 (n_test, classes, h, w), as a memory map."""
        path = self.folder / "heatmaps.npy"
        try:
            found: np.ndarray = np.load(path, mmap_mode="r")
        except (ValueError, OSError, EOFError) as error:
            raise DamagedFileError("{path} is missing or damaged.", path=path) from error
        return found

    def log_tail(self, lines: int = 20) -> str:
        """Return the end of the log."""
        path = self.folder / "log.txt"
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return "\n".join(text.splitlines()[-lines:])

    def log(self, text: str) -> None:
        """Append a text to the log."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(text.rstrip() + "\n")

    def read_table(self, file: str) -> pd.DataFrame:
        """Return a table of the run, with absolute paths. Raises `UserError` if it does not exist or is damaged."""
        path, home = self.folder / file, settings.home()
        try:
            kept = _read_table(path, home, stamp(path), stamp(settings.key_file()))
        except FileNotFoundError as error:
            raise DamagedFileError("{path} is missing or damaged.", path=path) from error
        return kept.copy()  # a shallow one leaves references behind, see `dataset.load`

    def write_table(self, file: str, table: pd.DataFrame, seal: bool = True) -> None:
        """Save a table as `file` (Parquet), atomically; see `schema.write_table`.

        Paths in the workspace are kept relative to it, so that it can be moved.
        """
        home = f"{settings.home()}{os.sep}"
        relative = _with_paths(table, lambda path: path.removeprefix(home))
        schema.write_table(self.folder / file, relative, seal=seal)

    def save_with(self, file: str, save: Callable[[Path], object]) -> None:
        """Save `file` by `save(path)`, atomically."""
        with atomic_path(self.folder / file) as temporary:
            save(temporary)

    def _lines(self) -> list[dict[str, Any]]:
        """Return the lines of the event log; one that is damaged is left out, and all of a log that cannot be read."""
        found, lines = [], list[str]()
        with suppress(OSError):
            lines = read_text_lines(self.folder / EVENTS)
        for line in lines:
            with suppress(ValueError):
                value = parse_json(line)
                if isinstance(value, dict) and "epoch" in value:
                    found.append(value)
        return found


def _size(table: pd.DataFrame) -> int:
    return int(table.memory_usage(deep=True).sum())


@cached(LRUCache(_TABLE_BYTES, _size), lock=Lock())
def _read_table(path: Path, home: Path, written: Stamp, key: Stamp) -> pd.DataFrame:
    """Return a table as it is and with the key that is at hand; it is kept, so it must not be changed."""
    return _with_paths(schema.read_table(path)[0], lambda path: os.path.join(home, path))  # noqa: PTH118 - fast


def _with_paths(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    names = [name for name in schema.PATHS if name in table]
    return table.assign(**{name: [change(path) if path else "" for path in table[name].tolist()] for name in names})


def _valid(kind: type[_Line], lines: list[dict[str, Any]]) -> list[_Line]:
    """Return the values of these lines; one that is damaged is left out."""
    found = []
    for line in lines:
        with suppress(ValueError):
            found.append(kind.model_validate(line))
    return found


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return flat
