"""The process of one run: `python -m cxrcore.jobs.worker FOLDER`."""

import sys
from datetime import datetime
from pathlib import Path

from cxrcore.errors import UserError
from cxrcore.features import weights
from cxrcore.jobs import queue
from cxrcore.runs import Run
from cxrcore.training.pipeline import run


def _log_stage(stage: str, done: int, total: int) -> None:
    """Write the beginning of each stage into the log, so that the log of a killed run tells how far it came."""
    if done == 0:
        print(f"{datetime.now():%H:%M:%S} {stage}", flush=True)


def main(folder: Path) -> int:
    """Train the folder's config, then start the next run of the queue. Return the exit code."""
    with queue.lock():
        pass  # the process that started this one writes the first status
    try:
        with weights.only_permitted():
            run(Run(folder).requested, folder, _log_stage)
    except UserError as error:
        print(error)
        return 2
    finally:
        queue.dispatch()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
