"""`cxr cluster`: workers of a Dask cluster as jobs of Slurm."""

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from cxrcore import settings
from cxrcore.cli import terminal
from cxrcore.cluster import announced
from cxrcore.errors import UserError
from cxrcore.jobs import slurm

_LOOK_SECONDS = 5
_ENDED_SECONDS = 60  # without a job that waits or runs: longer than until lost workers are given up
_FAILED_SECONDS = 600  # a restart of Slurm's controller takes less


def cluster(
    file: Annotated[
        Path | None,
        typer.Option(help="What each job needs; default: cluster.yaml in the workspace.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the script of a job; submit nothing.")] = False,
) -> None:
    """Start a Dask scheduler, and its workers as jobs of Slurm; Ctrl-C or SIGTERM cancels them.

    With CXR_EXECUTOR=dask, other commands and the dashboard find it by the workspace.
    """
    config = slurm.read(file or settings.home() / slurm.FILE)
    terminal.exit_when_asked()
    with slurm.workers(config, dry_run) as workers:
        if dry_run:
            print(workers.script)
            return
        with announced(workers.address):
            print(f"Scheduler: {workers.address}", flush=True)
            _follow(workers)


def _follow(workers: slurm.SlurmWorkers) -> None:
    """Print the states of the jobs whenever they change, and submit those of lost workers again, until none is left.

    Raises:
        UserError: `squeue` has failed for `_FAILED_SECONDS`. Until then jobs count as they were seen last.
    """
    shown, told, refusal, latest = "", False, "", time.monotonic()
    answered, failed = latest, False
    jobs: list[slurm.Job] = []
    while time.monotonic() - latest <= _ENDED_SECONDS:
        workers.submit()
        try:
            jobs = slurm.jobs(workers.numbers)
        except UserError as error:
            now = time.monotonic()
            if now - answered > _FAILED_SECONDS:
                raise
            if not failed:
                print(terminal.visible(f"{time.strftime('%H:%M:%S')} {error}"), flush=True)
            shown, failed = "", True
            if set(workers.numbers) - {job.number for job in jobs if not job.state}:
                latest = now
            time.sleep(_LOOK_SECONDS)
            continue
        answered, failed = time.monotonic(), False
        states = Counter(job.state.lower() or "ended" for job in jobs)
        states["not submitted"] = workers.count - len(jobs)
        text = ", ".join(f"{count} {state}" for state, count in sorted(states.items()) if count)
        if text != shown:
            shown = text
            print(f"{time.strftime('%H:%M:%S')} Jobs: {text}", flush=True)
        if workers.gave_up and not told:
            text = (
                "Too many jobs ended within 5 minutes; no more are submitted for up to an hour. Their output says why."
            )
            print(text, flush=True)
        told = workers.gave_up
        if workers.refusal and workers.refusal != refusal:
            text = f"Slurm refuses jobs, which are submitted again later: {workers.refusal}"
            print(terminal.visible(text), flush=True)
        refusal = workers.refusal
        if any(job.state for job in jobs):
            latest = time.monotonic()
        time.sleep(_LOOK_SECONDS)
