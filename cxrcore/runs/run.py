"""A run folder: everything there is to know about one training, written atomically.

config.json          the validated config          about.json      classes, weights' digest, versions
table.parquet        the images and their part     status.json     state, stage, progress, process
events.jsonl         one line an epoch or event    log.txt         what the process printed
state-*.npz          where the fit was left        card.json       its title, tags and note
rounds.json          other rounds of the design    rounds.parquet  their predictions
model.keras          raw pixels to probabilities   metrics.json    numbers with intervals
predictions.parquet  validation and test images    heatmaps.npy    Grad-CAM of the test images
novelty.npz          tells an image unlike these   vectors.npz     training images' features, to find like ones
shortcut.json        the shortcut audit, if made   remedies.json   what cleanings do to it, if measured
faithfulness.json    checks of heatmaps, if made   notes.json      what people wrote on test images
shown.json           if shown where read-only      evaluations/, tasks/  tests on other data, work in progress
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrcore import settings as house
from cxrcore.errors import UserError
from cxrcore.files import atomic_path, read_json, read_json_if_there, read_lines, write_json

EVENTS = "events.jsonl"
QUEUED, RUNNING, FINISHED, STOPPED, FAILED = "queued", "running", "finished", "stopped", "failed"
LIVE = {QUEUED, RUNNING}
_SHOWN = "shown.json"


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
    def settings(self) -> dict[str, Any]:
        """The config under dotted names, for example `split.seed`; a section that is off is None."""
        return _flat(self.config)

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
        return [line for line in read_lines(self.folder / EVENTS) if "event" not in line]

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was done to the run while it learned: `event`, the `epoch` from which it holds, and a `value`."""
        return [line for line in read_lines(self.folder / EVENTS) if "event" in line]

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
    def rounds(self) -> dict[str, Any] | None:
        """What the rounds of the design say together (see `training.rounds`), None for a single one."""
        return self.optional("rounds.json")

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
    def card(self) -> dict[str, Any]:
        """What people call the run: `title`, `tags` (a list) and `note`, each empty by default."""
        return {"title": "", "tags": [], "note": ""} | (self.optional("card.json") or {})

    def describe(self, **values: Any) -> None:
        """Change what the card says, for example `describe(title="the best so far")`."""
        self.write("card.json", self.card | values)

    @property
    def shown(self) -> bool:
        """Whether the run is shown where the dashboard is read-only."""
        return (self.folder / _SHOWN).is_file()

    def show(self, shown: bool) -> None:
        """Mark the run as shown where the dashboard is read-only, or take the mark away."""
        house.require_writable()
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

    def log(self, text: str) -> None:
        """Append a text to the log."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(text.rstrip() + "\n")

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


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return flat
