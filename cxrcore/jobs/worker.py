"""The process of one run: `python -m cxrcore.jobs.worker FOLDER`."""

import os
import sys
from datetime import datetime
from functools import partial
from pathlib import Path

from cxrcore import logs
from cxrcore.errors import UserError
from cxrcore.features import weights
from cxrcore.jobs import priority, queue, run_process
from cxrcore.messages import nameless
from cxrcore.runs import Run
from cxrcore.training.pipeline import run


def _log_stage(log: Path, stage: str, done: int, total: int) -> None:
    """Write the beginning of each stage into the log, so that the log of a killed run tells how far it came."""
    if done == 0:
        print(f"{datetime.now():%H:%M:%S} {stage}", flush=True)
    logs.bound(log)


def main(folder: Path) -> int:
    """Train the folder's config, then start the next run of the queue. Return the exit code."""
    with run_process.lock():  # the process that started this one writes the first status
        if Run(folder).status.pid not in (os.getpid(), os.getppid()):  # the latter is the launcher of a venv on Windows
            return 3  # it was ended before, or the disk was full: the run still waits
    logs.start(run=folder.name)
    logs.LOGGER.info("Run started")
    try:
        with weights.only_permitted():
            run(Run(folder).requested, folder, partial(_log_stage, folder / "log.txt"))
        logs.LOGGER.info("Run ended")
    except UserError as error:
        print(nameless(error.message))
        logs.LOGGER.info("Run ended by an error with a message")
        return 2
    except Exception as error:
        print(f"Unexpected error {logs.unexpected(error)}")  # the recorder has written where it was raised
        return 1
    finally:
        queue.dispatch()
    return 0


if __name__ == "__main__":
    priority.lower()
    sys.exit(main(Path(sys.argv[1])))
