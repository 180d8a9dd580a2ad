"""The process of one run: `python -m cxrcore.jobs.worker FOLDER`."""

import sys
from pathlib import Path

from cxrcore.errors import UserError
from cxrcore.jobs import queue
from cxrcore.runs import Run
from cxrcore.training.config import RunConfig
from cxrcore.training.pipeline import run


def main(folder: Path) -> int:
    """Run what the folder's config says, then start whoever waits. Return the exit code."""
    with queue.lock():
        pass  # whoever started this process writes its number first
    try:
        run(RunConfig(**Run(folder).config), folder)
    except UserError as error:
        print(error)
        return 2
    finally:
        queue.dispatch()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
