"""Remaining time of a run, estimated from its own pace and that of earlier runs."""

import time

from cxrcore.runs import FINISHED, Run, RunStatus, listing

_AFTER = 4.0  # seconds to test, compute heatmaps and save a small run
_LAST = 20  # epochs whose mean gives the pace


def remaining(run: Run, status: RunStatus) -> float | None:
    """Return the seconds until the whole run has ended without early stopping, None if they cannot be estimated."""
    elapsed = time.time() - (status.stage_started or time.time())
    done = status.done - status.first
    here = elapsed / done * (status.total - status.done) if done > 0 and status.total else None
    splits = run.config.resampling.count
    if status.stage == "resampling" or here is None:
        return here
    if status.stage in ("training", "selecting"):
        return here + _AFTER + (splits - 1) * elapsed / done * status.total
    if status.stage == "features" and (training := _training(run)) is not None:
        return here + _AFTER + splits * training
    return None


def _training(run: Run) -> float | None:
    """Return the seconds of training at the pace of the newest finished run with this backbone and head."""
    config = run.config
    for other in listing():
        theirs = other.config
        if other.status.state == FINISHED and (theirs.backbone, theirs.head) == (config.backbone, config.head):
            if found := other.selection:
                return found.seconds
            pace = [epoch.seconds for epoch in other.epochs[-_LAST:]]
            return sum(pace) / len(pace) * config.epochs if pace else None
    return None
