"""A trial becomes a run: trained again with the same seed, and this time tested."""

from cxrcore import runs
from cxrcore.config.run_config import RunConfig
from cxrcore.runs import Run
from cxrcore.sweeps.sweep import Sweep
from cxrcore.training import pipeline
from cxrcore.training.run_recorder import Listener


def config_of(sweep: Sweep, number: int) -> RunConfig:
    """Return the config of a trial."""
    return RunConfig(**sweep.trial(number).config)


def opened(sweep: Sweep, number: int) -> Run | None:
    """Return the run that a trial became, None if it became none or the run was deleted."""
    name = sweep.opened.get(number)
    return next((run for run in runs.listing() if run.name == name), None)


def mark(sweep: Sweep, number: int, run: Run) -> None:
    """Write down that `run` is what a trial became."""
    run.describe(tags=[f"sweep {sweep.name}"], title=f"{sweep.name} {number}")
    sweep.mark_opened(number, run)


def train(sweep: Sweep, number: int, listener: Listener | None = None) -> Run:
    """Return the run of a trial, trained here and now if it was not opened before."""
    if before := opened(sweep, number):
        return before
    chosen = config_of(sweep, number)
    run = runs.create(chosen.model_dump(mode="json"))
    mark(sweep, number, run)
    return pipeline.run(chosen, run.folder, listener)
