"""Runs: a folder for each, read as typed values, and the registry of all."""

from cxrcore.runs.models import (
    FAILED,
    FINISHED,
    LIVE,
    QUEUED,
    RUNNING,
    STATE_LABELS,
    STOPPED,
    EpochMetrics,
    ProcessId,
    ResamplingResult,
    RunCard,
    RunEvent,
    RunInfo,
    RunMetrics,
    RunStatus,
    state_label,
)
from cxrcore.runs.process import process_id
from cxrcore.runs.registry import DamagedRun, create, damaged, discard, discarded, listing, load, restore
from cxrcore.runs.run import EVENTS, Run

__all__ = [
    "EVENTS",
    "FAILED",
    "FINISHED",
    "LIVE",
    "QUEUED",
    "RUNNING",
    "STATE_LABELS",
    "STOPPED",
    "DamagedRun",
    "EpochMetrics",
    "ProcessId",
    "ResamplingResult",
    "Run",
    "RunCard",
    "RunEvent",
    "RunInfo",
    "RunMetrics",
    "RunStatus",
    "create",
    "damaged",
    "discard",
    "discarded",
    "listing",
    "load",
    "process_id",
    "restore",
    "state_label",
]
