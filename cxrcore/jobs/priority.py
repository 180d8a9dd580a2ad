"""The priority of processes that nobody waits for in front of a page."""

import os

import psutil

NICENESS = 10  # a process with it gets a tenth of a processor that a server with 0 wants as well, all of an idle one


def lower() -> None:
    """Let pages go before this process and those that it starts."""
    own = psutil.Process()
    if os.name == "nt":
        own.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        own.nice(max(NICENESS, int(own.nice())))  # only the administrator may raise a priority
