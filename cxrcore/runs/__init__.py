"""Runs: a folder each, and the shelf they stand on."""

from cxrcore.runs.process_info import process
from cxrcore.runs.registry import create, discard, discarded, listing, load, restore
from cxrcore.runs.run import EVENTS, FAILED, FINISHED, LIVE, QUEUED, RUNNING, STOPPED, Run

__all__ = [
    "EVENTS", "FAILED", "FINISHED", "LIVE", "QUEUED", "RUNNING", "STOPPED", "Run",
    "create", "discard", "discarded", "listing", "load", "process", "restore",
]  # fmt: skip
