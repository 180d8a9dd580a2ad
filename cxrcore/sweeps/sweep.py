"""A sweep's folder: `plan.json`, Optuna's `journal.log`, a folder a trial, and which trials were opened.

A trial is the same `run` as any other, up to the end of its learning: it is not tested, so nobody can choose by the
test. Opened, it is trained again as a run of its own, which takes seconds: its activations are kept and its seed gives
the same curves.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from cxrcore import settings
from cxrcore.data import dataset
from cxrcore.errors import UserError
from cxrcore.files import read_json, read_json_if_there, write_json
from cxrcore.runs import Run
from cxrcore.sweeps import plan
from cxrcore.sweeps.plan import Plan
from cxrcore.training import pipeline

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")


@dataclass(frozen=True)
class Sweep:
    """One sweep, read from disk whenever asked."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name, which is the sweep's."""
        return self.folder.name

    @property
    def plan(self) -> Plan:
        """What it tries."""
        return plan.make(read_json(self.folder / "plan.json"))

    @property
    def journal(self) -> Path:
        """The file of Optuna's journal storage."""
        return self.folder / "journal.log"

    @property
    def opened(self) -> dict[int, str]:
        """The runs that were made of trials, by the trial's number."""
        found = read_json_if_there(self.folder / "opened.json") or {}
        return {int(number): name for number, name in found.items()}

    def trial(self, number: int) -> Run:
        """Return the folder of a trial."""
        return Run(self.folder / "trials" / f"{number:05d}")

    def mark_opened(self, number: int, run: Run) -> None:
        """Write down which run a trial became."""
        write_json(self.folder / "opened.json", {str(k): v for k, v in self.opened.items()} | {str(number): run.name})


def create(name: str, chosen: Plan) -> Sweep:
    """Make a new sweep.

    Raises:
        UserError: the name is no name, or taken; the dataset is not there, or cannot be split.
    """
    if not _NAME.fullmatch(name):
        raise UserError("name: expected letters, digits, '.', '_' or '-', at most 61. Received: {name!r}", name=name)
    data = dataset.load(chosen.base.dataset, chosen.base.dataset_version)
    pipeline.check(chosen.base)
    # Every trial is to see the same images, whatever becomes of the dataset meanwhile.
    chosen = chosen.model_copy(update={"base": chosen.base.model_copy(update={"dataset_version": data.version})})
    made = Sweep(_folder() / name)
    if made.folder.exists():
        raise UserError("There is a sweep {name!r} already. Choose another name, or go on with it.", name=name)
    write_json(made.folder / "plan.json", chosen.model_dump(mode="json"))
    return made


def load(name: str) -> Sweep:
    """Return the sweep `name`; raise `UserError` where there is none."""
    found = Sweep(_folder() / name)
    if not _NAME.fullmatch(name) or not (found.folder / "plan.json").is_file():
        raise UserError("There is no sweep {name!r}.", name=name)
    return found


def listing() -> list[Sweep]:
    """Return all sweeps, the newest first."""
    paths = [path.parent for path in _folder().glob("[!.]*/plan.json")]
    return [Sweep(path) for path in sorted(paths, key=lambda path: -(path / "plan.json").stat().st_mtime)]


def _folder() -> Path:
    return settings.home() / "sweeps"
