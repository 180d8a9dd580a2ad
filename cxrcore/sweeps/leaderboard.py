"""What a sweep has found so far: its trials ranked by validation, and which knobs mattered."""

from typing import Any

import pandas as pd
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import TrialState

from cxrcore.sweeps import search
from cxrcore.sweeps.sweep import Sweep

_STATES = {
    TrialState.COMPLETE: "finished", TrialState.PRUNED: "ended early", TrialState.RUNNING: "running",
    TrialState.FAIL: "failed",
}  # fmt: skip
_MEASURED = ("val_loss", "val_accuracy", "kept_epoch", "n_validation")
_LEAST_FOR_IMPORTANCE = 10


def table(sweep: Sweep) -> pd.DataFrame:
    """Return a row a trial, the best first: `number`, `state`, `val_loss`, `val_accuracy`, `kept_epoch`,
    `n_validation`, `seconds`, `run` (the run that it became, if it was opened), `message` (why it failed), then the
    knobs. Unfinished trials come
    last, those that were interrupted not at all.
    """
    opened = sweep.opened
    rows = []
    for trial in _trials(sweep):
        rows.append(
            {
                "number": trial.number,
                "state": _STATES[trial.state],
                **{name: trial.user_attrs.get(name) for name in _MEASURED},
                "seconds": trial.duration.total_seconds() if trial.duration else None,
                "run": opened.get(trial.number, ""),
            }
            | {"message": trial.user_attrs.get("message", "")}
            | trial.params
        )
    columns = ["number", "state", *_MEASURED, "seconds", "run", "message", *sweep.plan.knobs]
    return pd.DataFrame(rows, columns=columns).sort_values(["val_loss", "number"], ignore_index=True)


def importance(sweep: Sweep) -> dict[str, float]:
    """Return each knob's share in what made good trials good, 0 to 1, by PED-ANOVA (Watanabe et al. 2023,
    arXiv:2304.10255); {} with too few trials to tell, or one knob.
    """
    found = search.study(sweep)
    complete = found.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _LEAST_FOR_IMPORTANCE or len(sweep.plan.knobs) < 2:
        return {}
    return get_param_importances(found, evaluator=PedAnovaImportanceEvaluator())


def _trials(sweep: Sweep) -> list[Any]:
    if not sweep.journal.is_file():
        return []
    known = search.study(sweep).get_trials(deepcopy=False)
    return [
        trial
        for trial in known
        if trial.state in _STATES
        and "repeated" not in trial.user_attrs
        and (trial.state != TrialState.FAIL or "message" in trial.user_attrs)
    ]
