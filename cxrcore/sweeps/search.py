"""The search: Optuna proposes, `run` trains, the validation loss decides."""

import shutil
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from cxrcore import settings
from cxrcore.errors import Stopped, UserError
from cxrcore.sweeps.plan import Choices, Plan
from cxrcore.sweeps.sweep import Sweep
from cxrcore.training import pipeline
from cxrcore.training.callbacks import Epoch
from cxrcore.training.run_recorder import Listener

optuna.logging.set_verbosity(optuna.logging.WARNING)
_EVERY = 5  # epochs between two looks at whether a trial is worth going on
_STARTUP, _WARM_UP = 8, 10  # trials before any is ended early, and epochs before one is


def study(sweep: Sweep) -> optuna.Study:
    """Return the study of a sweep from its journal, which it is the only truth of.

    TPE proposes (Bergstra et al. 2011); a trial whose validation loss is worse than the median of the earlier ones at
    the same epoch is ended early.
    """
    storage = JournalStorage(JournalFileBackend(str(sweep.journal)))
    try:
        found = optuna.load_study(study_name="sweep", storage=storage)
    except KeyError:  # looking must not write, so it is made only where there is none
        found = optuna.create_study(study_name="sweep", storage=storage, direction="minimize")
    # A sampler with the same seed would propose again what it proposed before it was interrupted.
    found.sampler = optuna.samplers.TPESampler(seed=sweep.plan.seed + len(found.get_trials(deepcopy=False)))
    found.pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=_WARM_UP)
    return found


def search(sweep: Sweep, listener: Listener) -> None:
    """Train trials until the budget is used up; an interrupted sweep goes on, its unfinished trial first.

    Raises:
        UserError: another process searches already, or nothing may be changed here.
    """
    settings.require_writable()
    try:
        with FileLock(sweep.folder / "search.lock", timeout=0):
            _search(sweep, listener)
    except Timeout as error:
        raise UserError("Sweep {name} is running already, in another process.", name=sweep.name) from error


def _search(sweep: Sweep, listener: Listener) -> None:
    plan, found = sweep.plan, study(sweep)
    _take_up(found, sweep)
    while (left := _left(plan, found)) > 0:
        listener("trials", plan.trials - left if plan.trials else len(_done(found)), plan.trials)
        trial = found.ask()
        values = {name: _propose(trial, name, knob) for name, knob in plan.knobs.items()}
        if (same := _same(found, trial)) is not None:
            trial.set_user_attr("repeated", True)  # all choices may have been tried: nothing is trained twice
            found.tell(trial, same)
            continue
        _train(found, trial, sweep, values)
    listener("trials", len(_done(found)), len(_done(found)))


def _train(found: optuna.Study, trial: optuna.Trial, sweep: Sweep, values: dict[str, Any]) -> None:
    folder = sweep.trial(trial.number)
    shutil.rmtree(folder.folder, ignore_errors=True)
    worse = False

    def watch(epoch: Epoch) -> None:
        nonlocal worse
        if epoch.epoch % _EVERY == 0:
            trial.report(epoch.val_loss, epoch.epoch)
            worse = trial.should_prune()
        if worse:
            raise Stopped

    try:
        config = sweep.plan.config(values)
        folder.write("config.json", config.model_dump(mode="json"))
        pipeline.run(config, folder.folder, watch=watch)
    except UserError as error:
        trial.set_user_attr("message", str(error))
        found.tell(trial, state=TrialState.FAIL)
        return
    result = folder.optional("trial.json")
    assert result
    for name in ("val_loss", "val_accuracy", "kept_epoch", "n_validation"):
        trial.set_user_attr(name, result[name])
    if worse:
        found.tell(trial, state=TrialState.PRUNED)
    else:
        found.tell(trial, result["val_loss"])


def _propose(trial: optuna.Trial, name: str, knob: Any) -> Any:
    if isinstance(knob, Choices):
        return trial.suggest_categorical(name, list(knob.choices))
    return trial.suggest_float(name, knob.low, knob.high, log=knob.log)


def _take_up(found: optuna.Study, sweep: Sweep) -> None:
    """Put what was running when the sweep was interrupted first in line again."""
    for trial in found.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if len(trial.params) == len(sweep.plan.knobs):
            found.enqueue_trial(trial.params)
        found.tell(trial.number, state=TrialState.FAIL)
        shutil.rmtree(sweep.trial(trial.number).folder, ignore_errors=True)


def _done(found: optuna.Study) -> list[Any]:
    """Return the trials that count: trained to the end, ended early, or failed by themselves."""
    trials = found.get_trials(deepcopy=False)
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    return [trial for trial in trials if trial.state in ended or "message" in trial.user_attrs]


def left(sweep: Sweep) -> int:
    """Return how many trials may follow within the budget; 1 as long as a budget of minutes lasts."""
    return _left(sweep.plan, study(sweep)) if sweep.journal.is_file() else 1


def _left(plan: Plan, found: optuna.Study) -> int:
    """Return how many trials may follow; 1 as long as a budget of minutes lasts."""
    done = _done(found)
    if plan.trials and len(done) >= plan.trials:
        return 0
    spent = sum(trial.duration.total_seconds() for trial in done if trial.duration)
    if plan.minutes and spent >= 60 * plan.minutes:
        return 0
    return plan.trials - len(done) if plan.trials else 1


def _same(found: optuna.Study, trial: optuna.Trial) -> float | None:
    for other in found.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        if other.params == trial.params:
            return other.value
    return None
