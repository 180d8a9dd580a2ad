"""Runs: a folder each, and the shelf they stand on."""

from cxrcore.runs.folder import EVENTS, FAILED, FINISHED, LIVE, QUEUED, RUNNING, STOPPED, Run
from cxrcore.runs.owner import process
from cxrcore.runs.shelf import create, discard, discarded, listing, load, restore

__all__ = [
    "EVENTS", "FAILED", "FINISHED", "LIVE", "QUEUED", "RUNNING", "STOPPED", "Run",
    "create", "discard", "discarded", "listing", "load", "process", "restore",
]  # fmt: skip
