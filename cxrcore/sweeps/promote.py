"""A trial becomes a run: trained again with the same seed, and this time tested."""

from cxrcore import runs
from cxrcore.config.run_config import RunConfig
from cxrcore.progress import StageProgress
from cxrcore.runs import Run
from cxrcore.sweeps.sweep import Sweep
from cxrcore.training import pipeline


def config_of(sweep: Sweep, number: int) -> RunConfig:
    """Return the config of a trial."""
    return sweep.trial(number).config


def promoted_run(sweep: Sweep, number: int) -> Run | None:
    """Return the run that a trial became, None if there is none or it was deleted."""
    name = sweep.promoted.get(number)
    return next((run for run in runs.listing() if run.name == name), None)


def mark(sweep: Sweep, number: int, run: Run) -> None:
    """Record that `run` is what a trial became."""
    run.describe(tags=[f"sweep {sweep.name}"], title=f"{sweep.name} {number}")
    sweep.mark_promoted(number, run)


def train(sweep: Sweep, number: int, progress: StageProgress | None = None) -> Run:
    """Return the run of a trial, trained in this process if it was not promoted before."""
    if before := promoted_run(sweep, number):
        return before
    config = config_of(sweep, number)
    run = runs.create(config)
    mark(sweep, number, run)
    return pipeline.run(config, run.folder, progress)
