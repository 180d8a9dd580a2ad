"""How long a run will still take, from what it and earlier runs took."""

import time
from typing import Any

from cxrcore.runs import FINISHED, Run, listing

_AFTER = 4.0  # seconds to test, draw heatmaps and save a small run: a guess that is soon replaced
_LAST = 20  # epochs whose mean gives the pace


def left(run: Run, status: dict[str, Any]) -> float | None:
    """Return the seconds until the whole run is done if no epoch is saved by early stopping, None if nothing tells."""
    stage, done, total = status.get("stage"), status.get("done", 0), status.get("total", 0)
    elapsed = time.time() - status.get("stage_started", time.time())
    now = done - status.get("from", 0)
    here = elapsed / now * (total - done) if now > 0 and total else None
    rounds = run.config.get("design", {}).get("rounds", 1) if _several(run) else 1
    if stage == "rounds":
        return here
    if stage == "training" and here is not None:
        whole = elapsed / now * total
        return here + _AFTER + (rounds - 1) * whole
    if stage == "features" and here is not None and (learning := _learning(run)) is not None:
        return here + _AFTER + rounds * learning
    return None


def _several(run: Run) -> bool:
    return run.config.get("design", {}).get("kind", "holdout") != "holdout"


def _learning(run: Run) -> float | None:
    """Return the seconds that learning takes, at the pace of the newest finished run with this backbone and head."""
    config = run.config
    for other in listing():
        theirs = other.config
        if other.status["state"] == FINISHED and all(theirs[name] == config[name] for name in ("backbone", "head")):
            pace = [epoch["seconds"] for epoch in other.epochs[-_LAST:]]
            return sum(pace) / len(pace) * config["epochs"] if pace else None
    return None
