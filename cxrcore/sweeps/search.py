"""Hyper-parameter search with Optuna over `pipeline.run`, by validation loss."""

import shutil
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial

import optuna
from filelock import FileLock, Timeout
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from cxrcore import cluster, sealing, settings
from cxrcore.config.run_config import RunConfig
from cxrcore.errors import DamagedFileError, Stopped, UnreadableFileError, UserError
from cxrcore.fields import Choices, Range
from cxrcore.files import cut_torn_line, read_lines, stamp
from cxrcore.messages import Message
from cxrcore.progress import StageProgress
from cxrcore.runs import EpochMetrics
from cxrcore.settings import Executor
from cxrcore.sweeps.plan import Plan
from cxrcore.sweeps.sweep import Sweep
from cxrcore.training import pipeline
from cxrcore.training.pipeline import TrialResult

optuna.logging.set_verbosity(optuna.logging.WARNING)
_ROUND = 8  # trials that are proposed together, and can be trained at once
_EVERY = 5  # epochs between two decisions whether to end a trial early
_STARTUP, _WARM_UP = 8, 10  # trials before any is ended early, and epochs before one is
_SECONDS = "seconds"
_STUDY = "sweep"


def study(sweep: Sweep) -> optuna.Study:
    """Return the study of a sweep from its journal, the only place where its trials are kept; one without trials where
    the search has not begun.

    Raises:
        DamagedFileError: the journal cannot be read, or was written by another program.
    """
    # Reading must not write, and Optuna makes a journal where there is none.
    if stamp(sweep.journal):
        with suppress(KeyError):
            return optuna.load_study(study_name=_STUDY, storage=_storage(sweep))
    return optuna.create_study(direction="minimize")


def begin(sweep: Sweep) -> optuna.Study:
    """Return the study of a sweep to add trials to, made where there is none.

    What a loss of power left of the last line is cut off: Optuna would append to it and never read the journal again.
    """
    if sweep.journal.exists():
        cut_torn_line(sweep.journal)
    return optuna.create_study(study_name=_STUDY, storage=_storage(sweep), direction="minimize", load_if_exists=True)


def _storage(sweep: Sweep) -> JournalStorage:
    try:
        read_lines(sweep.journal)  # Optuna accepts texts that no page can show
        return JournalStorage(JournalFileBackend(str(sweep.journal)))
    except OSError as error:
        raise UnreadableFileError(sweep.journal, error) from error
    except Exception as error:  # of any type, as Optuna takes for granted that it has written the lines itself
        raise DamagedFileError("{path} is damaged, or was written by another program.", path=sweep.journal) from error


@dataclass(frozen=True)
class _Task:
    """A trial to be trained, and the trials of earlier rounds, which decide whether it is ended early."""

    sweep: Sweep
    number: int
    config: RunConfig
    earlier: tuple[FrozenTrial, ...] = field(repr=False)


@dataclass(frozen=True)
class _Outcome:
    """What became of a trial: `reported` are validation losses by epoch, `worse` tells whether it was ended early, and
    `message` why it failed.
    """

    number: int
    reported: dict[int, float]
    seconds: float
    result: TrialResult | None = None
    worse: bool = False
    message: Message | None = None


def search(sweep: Sweep, progress: StageProgress) -> None:
    """Train trials until the budget is used up; an interrupted sweep continues, its unfinished trial first.

    Raises:
        UserError: another process runs the sweep already, its journal is damaged, or the dashboard is read-only.
    """
    settings.require_writable()
    try:
        with FileLock(sweep.folder / "search.lock", timeout=0):
            _search(sweep, progress)
    except Timeout as error:
        raise UserError("Sweep {name} is running already, in another process.", name=sweep.name) from error


def _search(sweep: Sweep, progress: StageProgress) -> None:
    """Propose, train and record the trials of one round after the other.

    TPE proposes (Bergstra et al. 2011), as if the trials of the round that have no result yet were bad. A trial whose
    validation loss is worse than the median of earlier rounds at the same epoch is ended early. So nothing depends on
    how many trials are trained at once, and in which order they end.
    """
    plan, found = sweep.plan, begin(sweep)
    _drop_running(found, sweep, again=True)
    while (left := _remaining(plan, found)) > 0:
        earlier = tuple(found.get_trials())
        trials = _proposed(found, plan, min(left, _ROUND) if plan.trials else _ROUND)
        tasks = [_Task(sweep, number, plan.config(trial.params), earlier) for number, trial in trials.items()]
        _report(plan, found, progress)
        if settings.executor() is Executor.DASK:
            for task in tasks:  # by all workers, before each trial would compute the same
                _report(plan, found, progress)
                with suppress(UserError):  # the trial fails with it
                    pipeline.compute_features(task.config, sweep.trial(task.number).folder)
        with closing(cluster.results(_train_trial, tasks, partial(_report, plan, found, progress))) as outcomes:
            for outcome in outcomes:
                _record(found, trials[outcome.number], outcome)
                _report(plan, found, progress)
                if _remaining(plan, found) <= 0:
                    break
        _drop_running(found, sweep, again=False)  # nothing of the budget is left for them


def _report(plan: Plan, found: optuna.Study, progress: StageProgress) -> None:
    done = len(_done(found))
    progress("trials", done, plan.trials if _remaining(plan, found) > 0 else done)


def _proposed(found: optuna.Study, plan: Plan, count: int) -> dict[int, Trial]:
    """Return up to `count` trials by number. One with the settings of a finished trial gets its result, and one with
    those of another trial of the round is dropped: nothing is trained twice.
    """
    # A sampler with the same seed would propose again what it proposed before.
    seed = plan.seed + len(found.get_trials(deepcopy=False))
    found.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    proposed: dict[int, Trial] = {}
    for _ in range(count):
        trial = found.ask()
        for name, range_ in plan.settings.items():
            _suggest(trial, name, range_)
        if (same := _same(found, trial)) is not None:
            trial.set_user_attr("repeated", True)
            found.tell(trial, same)
        elif any(trial.params == other.params for other in proposed.values()):
            found.tell(trial, state=TrialState.FAIL)
        else:
            proposed[trial.number] = trial
    return proposed


def _train_trial(task: _Task) -> _Outcome:
    """Train a trial in this process. What is not wanted any more leaves no folder: the sweep drops it."""
    run, start = task.sweep.trial(task.number), time.monotonic()
    shutil.rmtree(run.folder, ignore_errors=True)
    judge = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP, n_warmup_steps=_WARM_UP))
    judge.add_trials(task.earlier)
    judged, reported, worse = judge.ask(), dict[int, float](), False

    def on_epoch(epoch: EpochMetrics) -> None:
        nonlocal worse
        if epoch.epoch % _EVERY == 0 and epoch.learning_rate:  # a solver has ended before it reports its iterations
            reported[epoch.epoch] = epoch.val_loss
            judged.report(epoch.val_loss, epoch.epoch)
            worse = judged.should_prune()
        if worse:
            raise Stopped

    found = partial(_Outcome, task.number, reported)
    try:
        task.config.write(run.folder / "config.json")
        pipeline.run(task.config, run.folder, on_trial_epoch=on_epoch)
    except UserError as error:
        return found(time.monotonic() - start, message=error.message)
    finally:
        if not cluster.is_wanted():
            shutil.rmtree(run.folder, ignore_errors=True)
    return found(time.monotonic() - start, result=TrialResult.read(run.folder / "trial.json"), worse=worse)


def _record(found: optuna.Study, trial: Trial, outcome: _Outcome) -> None:
    """Write an outcome into the journal."""
    trial.set_user_attr(_SECONDS, outcome.seconds)
    for epoch, loss in outcome.reported.items():
        trial.report(loss, epoch)
    if not outcome.result:
        message = outcome.message or Message(id="")
        trial.set_user_attr("message", sealing.seal(message.model_dump_json()))
        found.tell(trial, state=TrialState.FAIL)
        return
    for name, value in outcome.result.plain().items():
        trial.set_user_attr(name, value)
    if outcome.worse:
        found.tell(trial, state=TrialState.PRUNED)
    else:
        found.tell(trial, outcome.result.val_loss)


def _suggest(trial: Trial, name: str, range_: Range | Choices) -> None:
    if isinstance(range_, Choices):
        trial.suggest_categorical(name, list(range_.choices))
    else:
        trial.suggest_float(name, range_.low, range_.high, log=range_.log)


def _drop_running(found: optuna.Study, sweep: Sweep, again: bool) -> None:
    """Drop the trials that have no result; `again` puts those of an interrupted sweep first in line."""
    for trial in found.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if again and len(trial.params) == len(sweep.plan.settings):
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
    spent = sum(seconds(trial) or 0.0 for trial in done)
    if plan.minutes and spent >= 60 * plan.minutes:
        return 0
    return plan.trials - len(done) if plan.trials else 1


def seconds(trial: FrozenTrial) -> float | None:
    """Return how long a trial was trained, None for one that has not ended."""
    known: float | None = trial.user_attrs.get(_SECONDS)
    # Sweeps of earlier versions proposed one trial at a time.
    return known if known is not None or not trial.duration else trial.duration.total_seconds()


def _same(found: optuna.Study, trial: Trial) -> float | None:
    """Return the value of a finished trial with the same settings, None if there is none."""
    for other in found.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        if other.params == trial.params:
            return other.value
    return None
