"""The result of a sweep so far: its trials ranked by validation, and the importance of the settings."""

from typing import Any

import pandas as pd
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from cxrcore.i18n import N_
from cxrcore.messages import Message
from cxrcore.sealing import SealedMessage
from cxrcore.sweeps import search
from cxrcore.sweeps.sweep import Sweep

# The states of a trial and their labels.
STATES = {
    "finished": N_("finished"),
    "ended early": N_("ended early"),
    "running": N_("running"),
    "failed": N_("failed"),
}
_STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "ended early",
    TrialState.RUNNING: "running",
    TrialState.FAIL: "failed",
}
_MEASURED = ("val_loss", "val_accuracy", "kept_epoch", "n_validation")
_MESSAGE: TypeAdapter[Message] = TypeAdapter(SealedMessage)
_LEAST_FOR_IMPORTANCE = 10


def table(sweep: Sweep) -> pd.DataFrame:
    """Return one row per trial, the best first: `number`, `state` (a key of `STATES`), `val_loss`, `val_accuracy`,
    `kept_epoch`, `n_validation`, `seconds`, `run` (name of the run that it became, or ""), then the settings.
    Unfinished trials come last; those that were interrupted are left out.
    """
    promoted = sweep.promoted
    rows: list[dict[str, Any]] = []
    for trial in _trials(sweep):
        row = {name: trial.user_attrs.get(name) for name in _MEASURED}
        known = {"number": trial.number, "state": _STATES[trial.state], "seconds": search.seconds(trial)}
        rows.append(known | row | {"run": promoted.get(trial.number, "")} | trial.params)
    columns = ["number", "state", *_MEASURED, "seconds", "run", *sweep.plan.settings]
    return pd.DataFrame(rows, columns=columns).sort_values(["val_loss", "number"], ignore_index=True)


def failures(sweep: Sweep) -> list[Message]:
    """Return why trials failed, by number."""
    found = [trial.user_attrs["message"] for trial in _trials(sweep) if trial.state == TrialState.FAIL]
    return [_MESSAGE.validate_python(message) for message in found]


def importance(sweep: Sweep) -> dict[str, float]:
    """Return the importance of each setting, 0 to 1, by PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255); {} with
    fewer than 10 finished trials or one setting.
    """
    found = search.study(sweep)
    complete = found.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _LEAST_FOR_IMPORTANCE or len(sweep.plan.settings) < 2:
        return {}
    return get_param_importances(found, evaluator=PedAnovaImportanceEvaluator())


def _trials(sweep: Sweep) -> list[FrozenTrial]:
    if not sweep.journal.is_file():
        return []
    known = search.study(sweep).get_trials(deepcopy=False)
    return [
        trial
        for trial in known
        if trial.state in _STATES
        and "repeated" not in trial.user_attrs
        and (trial.state != TrialState.FAIL or "message" in trial.user_attrs)
        # Trials are proposed together; those that have not begun have no folder.
        and (trial.state != TrialState.RUNNING or sweep.trial(trial.number).folder.exists())
    ]
