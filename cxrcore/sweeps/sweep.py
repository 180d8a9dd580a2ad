"""A sweep's folder: `plan.json`, Optuna's `journal.log`, a folder for each trial, and which trials became runs.

A trial is a run like any other up to the end of training. It is not tested, so that no trial can be chosen by its test
result. A trial that is promoted is trained again as a run of its own, which takes seconds: its activations are kept,
and its seed gives the same curves.
"""

import errno
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from cxrcore import settings
from cxrcore.data import dataset
from cxrcore.errors import UnreadableFileError, UserError
from cxrcore.messages import Message, msg
from cxrcore.runs import Run
from cxrcore.schema import Stored
from cxrcore.sweeps.plan import Plan
from cxrcore.training import pipeline

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")


class Promoted(Stored):
    """`promoted.json`: the runs that trials became, by the trial's number."""

    runs: dict[int, str]


@dataclass(frozen=True)
class Sweep:
    """One sweep, read from disk whenever asked. A file that is damaged raises `DamagedFileError`."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name, which identifies the sweep."""
        return self.folder.name

    @property
    def plan(self) -> Plan:
        """What it tries."""
        return Plan.read(self.folder / "plan.json")

    @property
    def journal(self) -> Path:
        """The file of Optuna's journal storage."""
        return self.folder / "journal.log"

    @property
    def promoted(self) -> dict[int, str]:
        """The names of the runs that trials became, by the trial's number."""
        if found := Promoted.read_if_present(self.folder / "promoted.json"):
            return found.runs
        older = _PromotedOfVersion1.read_if_present(self.folder / "opened.json")
        return older.runs if older else {}

    def trial(self, number: int) -> Run:
        """Return the folder of a trial."""
        return Run(self.folder / "trials" / f"{number:05d}")

    def mark_promoted(self, number: int, run: Run) -> None:
        """Record which run a trial became."""
        Promoted(runs=self.promoted | {number: run.name}).write(self.folder / "promoted.json")


class _PromotedOfVersion1(Promoted):
    """`opened.json` of version 1: run by number."""

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        return {"runs": values}


@dataclass(frozen=True)
class DamagedSweep:
    """A sweep folder that cannot be opened, and why."""

    name: str
    message: Message


def create(name: str, plan: Plan) -> Sweep:
    """Make a new sweep.

    Raises:
        UserError: the name is not valid, or taken; the dataset does not exist, or cannot be split.
    """
    if not _NAME.fullmatch(name):
        raise UserError("name: expected letters, digits, '.', '_' or '-', at most 61. Received: {name!r}", name=name)
    data = dataset.load(plan.base.dataset, plan.base.dataset_version)
    pipeline.check(plan.base)
    # Every trial is to use the same images, also if the dataset is edited meanwhile.
    plan = plan.model_copy(update={"base": plan.base.model_copy(update={"dataset_version": data.version})})
    made = Sweep(_folder() / name)
    settings.require_writable()
    prepared = made.folder.with_name(f".{name}.{uuid4().hex[:8]}")
    try:  # there with its plan or not at all, also after a crash
        plan.write(prepared / "plan.json")
        prepared.rename(made.folder)  # of two tabs at once, one succeeds
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        raise UserError("There is a sweep {name!r} already. Choose another name, or continue it.", name=name) from error
    finally:
        shutil.rmtree(prepared, ignore_errors=True)
    return made


def load(name: str) -> Sweep:
    """Return the sweep `name`; raise `UserError` where there is none."""
    found = Sweep(_folder() / name)
    if not _NAME.fullmatch(name) or not (found.folder / "plan.json").is_file():
        raise UserError("There is no sweep {name!r}.", name=name)
    return found


def listing() -> list[Sweep]:
    """Return the sweeps that can be opened, the newest first."""
    return [sweep for sweep, problem in _inspected() if problem is None]


def damaged() -> list[DamagedSweep]:
    """Return the sweeps that cannot be opened, the newest first."""
    return [DamagedSweep(sweep.name, problem) for sweep, problem in _inspected() if problem is not None]


def _inspected() -> list[tuple[Sweep, Message | None]]:
    try:
        folders = [path for path in _folder().iterdir() if path.name[0] != "." and path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UnreadableFileError(_folder(), error) from error
    folders.sort(key=lambda path: -path.stat().st_ctime)
    return [(Sweep(folder), _problem(Sweep(folder))) for folder in folders]


def _problem(sweep: Sweep) -> Message | None:
    try:
        _ = sweep.plan, sweep.promoted
    except FileNotFoundError:
        return msg("{file} is missing.", file="plan.json")
    except UserError as error:
        return error.message
    return None


def _folder() -> Path:
    return settings.home() / "sweeps"
