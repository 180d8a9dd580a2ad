"""Remaining time of a run, estimated from its own pace and that of earlier runs."""

import time

from cxrcore.jobs import expected_time
from cxrcore.runs import FINISHED, Run, RunStatus, known
from cxrcore.training.pooled_data import is_larger_tried, is_within_budget

_AFTER = 4.0  # seconds to test, compute heatmaps and save a small run
_LAST = 20  # epochs whose mean gives the pace


def remaining(run: Run, status: RunStatus) -> float | None:
    """Return the seconds until the whole run has ended without early stopping, None if they cannot be estimated."""
    elapsed = max(0.0, time.time() - (status.stage_started or time.time()))  # the clock may have been set back
    done = status.done - status.first
    here = elapsed / done * (status.total - status.done) if done > 0 and status.total else None
    splits = run.config.resampling.count
    if status.stage == "resampling" or here is None:
        return here
    if run.config.head == "logistic":
        return here + _after_stage(run, status.stage, elapsed / done * status.total)
    if status.stage == "training":
        return here + _AFTER + (splits - 1) * elapsed / done * status.total
    if status.stage == "features" and (training := _training(run)) is not None:
        return here + _AFTER + splits * training
    return None


def _after_stage(run: Run, stage: str, seconds: float) -> float:
    """Return the seconds after a stage of a run with a logistic head, which takes `seconds` as a whole."""
    config, images = run.requested, len(run.table)
    splits, left = config.resampling.count, _AFTER
    if stage == "heatmaps":
        return left + (splits - 1) * (_training(run) or 0)
    left += expected_time.heatmaps(config, images)
    if stage == "selecting":
        return left + (splits - 1) * seconds
    larger = expected_time.larger_pass(seconds, config)
    both = is_larger_tried(config) and (stage == "larger" or is_within_budget(config, larger))
    if both and stage == "features":
        left += larger
    return left + splits * (_training(run) or expected_time.comparing(config, images, 2 if both else 1))


def _training(run: Run) -> float | None:
    """Return the seconds of training at the pace of the newest finished run with this backbone and head."""
    config = run.config
    for other in known():
        theirs, status = other.config, other.status
        if theirs is None or status is None or status.state != FINISHED:
            continue
        if (theirs.backbone, theirs.head) == (config.backbone, config.head):
            if found := other.run.selection:
                return found.seconds
            pace = [epoch.seconds for epoch in other.run.epochs[-_LAST:]]
            return sum(pace) / len(pace) * config.epochs if pace else None
    return None
