"""Hyper-parameter search with Optuna over `pipeline.run`, by validation loss."""

import shutil
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from cxrcore import sealing, settings
from cxrcore.errors import Stopped, UserError
from cxrcore.fields import Choices, Range
from cxrcore.progress import StageProgress
from cxrcore.runs import EpochMetrics
from cxrcore.sweeps.plan import Plan
from cxrcore.sweeps.sweep import Sweep
from cxrcore.training import pipeline
from cxrcore.training.pipeline import TrialResult

optuna.logging.set_verbosity(optuna.logging.WARNING)
_EVERY = 5  # epochs between two decisions whether to end a trial early
_STARTUP, _WARM_UP = 8, 10  # trials before any is ended early, and epochs before one is


def study(sweep: Sweep) -> optuna.Study:
    """Return the study of a sweep from its journal, the only place where its trials are kept.

    TPE proposes (Bergstra et al. 2011); a trial whose validation loss is worse than the median of the earlier ones at
    the same epoch is ended early.
    """
    storage = JournalStorage(JournalFileBackend(str(sweep.journal)))
    try:
        found = optuna.load_study(study_name="sweep", storage=storage)
    except KeyError:  # reading must not write, so it is created only where there is none
        found = optuna.create_study(study_name="sweep", storage=storage, direction="minimize")
    # A sampler with the same seed would propose again what it proposed before an interruption.
    found.sampler = optuna.samplers.TPESampler(seed=sweep.plan.seed + len(found.get_trials(deepcopy=False)))
    found.pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=_WARM_UP)
    return found


def search(sweep: Sweep, progress: StageProgress) -> None:
    """Train trials until the budget is used up; an interrupted sweep continues, its unfinished trial first.

    Raises:
        UserError: another process runs the sweep already, or the dashboard is read-only.
    """
    settings.require_writable()
    try:
        with FileLock(sweep.folder / "search.lock", timeout=0):
            _search(sweep, progress)
    except Timeout as error:
        raise UserError("Sweep {name} is running already, in another process.", name=sweep.name) from error


def _search(sweep: Sweep, progress: StageProgress) -> None:
    plan, found = sweep.plan, study(sweep)
    _requeue_interrupted(found, sweep)
    while (left := _remaining(plan, found)) > 0:
        progress("trials", plan.trials - left if plan.trials else len(_done(found)), plan.trials)
        trial = found.ask()
        values = {name: _propose(trial, name, range_) for name, range_ in plan.settings.items()}
        if (same := _same(found, trial)) is not None:
            trial.set_user_attr("repeated", True)  # all choices may have been tried: nothing is trained twice
            found.tell(trial, same)
            continue
        _train(found, trial, sweep, values)
    progress("trials", len(_done(found)), len(_done(found)))


def _train(found: optuna.Study, trial: Trial, sweep: Sweep, values: dict[str, Any]) -> None:
    run = sweep.trial(trial.number)
    shutil.rmtree(run.folder, ignore_errors=True)
    worse = False

    def on_epoch(epoch: EpochMetrics) -> None:
        nonlocal worse
        if epoch.epoch % _EVERY == 0 and epoch.learning_rate:  # a solver has ended before it reports its iterations
            trial.report(epoch.val_loss, epoch.epoch)
            worse = trial.should_prune()
        if worse:
            raise Stopped

    try:
        config = sweep.plan.config(values)
        config.write(run.folder / "config.json")
        pipeline.run(config, run.folder, on_trial_epoch=on_epoch)
    except UserError as error:
        trial.set_user_attr("message", sealing.seal(error.message.model_dump_json()))
        found.tell(trial, state=TrialState.FAIL)
        return
    result = TrialResult.read(run.folder / "trial.json")
    for name, value in result.plain().items():
        trial.set_user_attr(name, value)
    if worse:
        found.tell(trial, state=TrialState.PRUNED)
    else:
        found.tell(trial, result.val_loss)


def _propose(trial: Trial, name: str, range_: Range | Choices) -> Any:
    if isinstance(range_, Choices):
        return trial.suggest_categorical(name, list(range_.choices))
    return trial.suggest_float(name, range_.low, range_.high, log=range_.log)


def _requeue_interrupted(found: optuna.Study, sweep: Sweep) -> None:
    """Put what was running when the sweep was interrupted first in line again."""
    for trial in found.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if len(trial.params) == len(sweep.plan.settings):
            found.enqueue_trial(trial.params)
        found.tell(trial.number, state=TrialState.FAIL)
        shutil.rmtree(sweep.trial(trial.number).folder, ignore_errors=True)


def _done(found: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that count: finished, ended early, or failed by themselves."""
    trials = found.get_trials(deepcopy=False)
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    return [trial for trial in trials if trial.state in ended or "message" in trial.user_attrs]


def remaining(sweep: Sweep) -> int:
    """Return how many trials remain within the budget; 1 as long as a budget of minutes lasts."""
    return _remaining(sweep.plan, study(sweep)) if sweep.journal.is_file() else 1


def _remaining(plan: Plan, found: optuna.Study) -> int:
    done = _done(found)
    if plan.trials and len(done) >= plan.trials:
        return 0
    spent = sum(trial.duration.total_seconds() for trial in done if trial.duration)
    if plan.minutes and spent >= 60 * plan.minutes:
        return 0
    return plan.trials - len(done) if plan.trials else 1


def _same(found: optuna.Study, trial: Trial) -> float | None:
    """Return the value of a finished trial with the same settings, None if there is none."""
    for other in found.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        if other.params == trial.params:
            return other.value
    return None
