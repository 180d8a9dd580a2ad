"""A run folder: everything there is to know about one training, written atomically.

config.json          the validated config          about.json      classes, weights' digest, versions
table.parquet        the images and their part     status.json     state, stage, progress, process
events.jsonl         one line an epoch             log.txt         what the process printed
model.keras          raw pixels to probabilities   metrics.json    numbers with intervals
predictions.parquet  validation and test images    heatmaps.npy    Grad-CAM of the test images
novelty.npz          tells an image unlike these   vectors.npz     training images' features, to find like ones
shortcut.json        the shortcut audit, if made   remedies.json   what cleanings do to it, if measured
faithfulness.json    checks of heatmaps, if made   notes.json      what people wrote on test images
shown.json           if shown where read-only      evaluations/, tasks/  tests on other data, work in progress
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import psutil

from cxrcore import settings
from cxrcore.errors import UserError
from cxrcore.files import atomic_path, read_json, read_json_if_there, read_lines, write_json

QUEUED, RUNNING, FINISHED, STOPPED, FAILED = "queued", "running", "finished", "stopped", "failed"
LIVE = {QUEUED, RUNNING}
_SHOWN = "shown.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Run:
    """One run, read from disk whenever asked."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name, which is the run's."""
        return self.folder.name

    @property
    def config(self) -> dict[str, Any]:
        """The config as plain values."""
        return read_json(self.folder / "config.json")

    @property
    def status(self) -> dict[str, Any]:
        """`state` and, as far as known: `stage`, `done`, `total`, `message`, `pid`, times in seconds."""
        return read_json(self.folder / "status.json")

    @property
    def about(self) -> dict[str, Any]:
        """`classes`, `weights_digest`, `versions`, and `dataset`: what the dataset said of itself."""
        return read_json(self.folder / "about.json")

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """The finished epochs."""
        return read_lines(self.folder / "events.jsonl")

    @property
    def metrics(self) -> dict[str, Any] | None:
        """The test metrics, or None before the evaluation."""
        return self.optional("metrics.json")

    @property
    def results(self) -> dict[str, Any]:
        """The test metrics. Raises `UserError` when there are none."""
        if (found := self.metrics) is None:
            raise UserError(
                "Run {name} has no results ({state}). Choose a finished run.",
                name=self.name, state=self.status["state"],
            )  # fmt: skip
        return found

    @property
    def is_phantom(self) -> bool:
        """Whether every image was drawn by this project."""
        return bool(self.about["dataset"].get("phantom"))

    @property
    def table(self) -> pd.DataFrame:
        """The images the run saw, with their part in `split`."""
        return pd.read_parquet(self.folder / "table.parquet")

    @property
    def shortcut(self) -> dict[str, Any] | None:
        """The shortcut audit (see `evaluation.shortcut`), if made."""
        return self.optional("shortcut.json")

    @property
    def faithfulness(self) -> dict[str, Any] | None:
        """The checks of the heatmaps (see `explain.faithfulness`), or None before they were made."""
        return self.optional("faithfulness.json")

    @property
    def model_file(self) -> Path:
        """The saved model. Raises `UserError` when there is none."""
        if not (path := self.folder / "model.keras").is_file():
            raise UserError(
                "Run {name} has no model ({state}). Choose a finished run.", name=self.name, state=self.status["state"]
            )
        return path

    @property
    def shown(self) -> bool:
        """Whether the run is shown where the dashboard is read-only."""
        return (self.folder / _SHOWN).is_file()

    def show(self, shown: bool) -> None:
        """Mark the run as shown where the dashboard is read-only, or take the mark away."""
        settings.require_writable()
        if shown:
            self.write(_SHOWN, True)
        else:
            (self.folder / _SHOWN).unlink(missing_ok=True)

    def predictions(self, split: str = "test") -> pd.DataFrame:
        """Return the prediction table of the validation or test images."""
        table = pd.read_parquet(self.folder / "predictions.parquet")
        return table[table["split"] == split].reset_index(drop=True)

    def heatmaps(self) -> np.ndarray:
        """Return the test images' Grad-CAM, float32 (n_test, classes, h, w), as a memory map."""
        return np.load(self.folder / "heatmaps.npy", mmap_mode="r")

    def log_tail(self, lines: int = 20) -> str:
        """Return the end of the log."""
        path = self.folder / "log.txt"
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return "\n".join(text.splitlines()[-lines:])

    def write_table(self, file: str, table: pd.DataFrame) -> None:
        """Save a table as `file` (Parquet), atomically."""
        self.save_with(file, lambda path: table.to_parquet(path, index=False))

    def write(self, file: str, value: Any) -> None:
        """Save plain values as `file` (JSON), atomically."""
        write_json(self.folder / file, value)

    def optional(self, file: str) -> dict[str, Any] | None:
        """Return the content of a JSON file of the run, None where there is none (any more)."""
        return read_json_if_there(self.folder / file)

    def save_with(self, file: str, save: Callable[[Path], None]) -> None:
        """Save `file` by `save(path)`, atomically."""
        with atomic_path(self.folder / file) as temporary:
            save(temporary)


def process(number: int | None = None) -> dict[str, Any]:
    """Return what a status says of a process, by default this one; its start tells it from a later one's number."""
    found = psutil.Process(number)
    return {"pid": found.pid, "pid_started": found.create_time()}


def create(config: dict[str, Any], queued: bool = False) -> Run:
    """Make the folder of a new run and return it; the name sorts by time.

    A run is this process's own, unless it is `queued`: then the first worker that is free takes it.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")[:-3]
    run = Run(settings.runs_folder() / f"{stamp}-{config['backbone']}-{uuid4().hex[:4]}")
    run.write("config.json", config)
    status = {"state": QUEUED} if queued else {"state": RUNNING, "stage": "starting"} | process()
    run.write("status.json", status | {"created": datetime.now(UTC).timestamp()})
    return run


def load(name: str) -> Run:
    """Return the run `name`, or the newest one whose name starts with it; `latest` is the newest of all.

    Raises:
        UserError: there is no such run.
    """
    found = [run for run in listing() if name == "latest" or run.name.startswith(name)]
    if not _NAME.fullmatch(name) or not found:
        raise UserError("There is no run {name!r}. `cxr runs list` shows what there is.", name=name)
    return found[0]


def listing() -> list[Run]:
    """Return all runs, newest first."""
    return [Run(path.parent) for path in sorted(settings.runs_folder().glob("[!.]*/status.json"), reverse=True)]
