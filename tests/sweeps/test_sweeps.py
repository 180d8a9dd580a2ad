"""Sweeps: a search over the same pipeline, interrupted and continued, that never uses the test images."""

import math
import os
import signal
import subprocess
import sys
import time

import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.errors import DamagedFileError, UserError
from cxrcore.jobs import control, tasks
from cxrcore.maintenance import doctor
from cxrcore.messages import msg
from cxrcore.progress import ignore_stages
from cxrcore.sweeps import leaderboard, plan, promote, search, sweep

BASE = {"dataset": "phantom", "size": 64, "head": "gap", "epochs": 12}
SETTINGS = {"learning_rate": {"low": 1e-4, "high": 0.1, "log": True}, "head": {"choices": ("gap", "probe")}}


def _plan(**values):
    return plan.make({"base": run_config.make(**BASE).plain(), "settings": SETTINGS, "trials": 6} | values)


def test_trials_are_trained_but_not_tested(phantom, home):
    made = sweep.create("first", _plan())
    search.search(made, ignore_stages)
    table = leaderboard.table(made)
    assert len(table) == 6 and set(table["state"]) <= {"finished", "ended early"}
    assert list(table["val_loss"]) == sorted(table["val_loss"])
    for number in table["number"]:
        trial = made.trial(number)
        assert not {"metrics.json", "predictions.parquet", "model.keras", "table.parquet"} & {
            path.name for path in trial.folder.iterdir()
        }
        best = min(trial.epochs, key=lambda epoch: epoch.val_loss)
        assert table.set_index("number")["val_loss"][number] == pytest.approx(best.val_loss)
    assert runs.listing() == []


def test_promoted_trial_is_a_run_with_the_same_curves(phantom):
    made = sweep.create("opened", _plan(trials=2))
    search.search(made, ignore_stages)
    number = int(leaderboard.table(made)["number"][0])
    run = promote.train(made, number)
    trial = made.trial(number)
    assert [epoch.loss for epoch in run.epochs][: len(trial.epochs)] == pytest.approx(
        [epoch.loss for epoch in trial.epochs], rel=1e-5
    )
    assert run.metrics.n_test == 12 and "sweep opened" in run.card.tags
    assert leaderboard.table(made)["run"][0] == run.name
    assert promote.train(made, number).name == run.name, "opened once"


def test_killed_sweep_continues_without_losing_or_repeating_a_trial(phantom, home):
    made = sweep.create("killed", _plan(trials=8))
    script = "from cxrcore.sweeps import search, sweep\nsearch.search(sweep.load('killed'), lambda *step: None)"
    process = subprocess.Popen([sys.executable, "-c", script], env=os.environ | {"CXR_HOME": str(home)})
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(leaderboard.table(made).dropna(subset="val_loss")) < 3:
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    known = leaderboard.table(made).set_index("number")
    before = known["val_loss"][known["state"] != "running"]  # its result may have been recorded in part
    search.search(made, ignore_stages)
    after = leaderboard.table(made)
    done = after.dropna(subset="val_loss")
    assert len(after) == len(done) == 8, "none is lost, and none stays unfinished"
    assert len(done[["learning_rate", "head"]].drop_duplicates()) == 8, "none is trained twice"
    assert before.to_dict().items() <= done.set_index("number")["val_loss"].to_dict().items()
    search.search(made, ignore_stages)
    assert len(leaderboard.table(made)) == 8, "the budget is used up"


def test_choices_that_were_tried_are_not_trained_again(phantom):
    made = sweep.create("small", _plan(settings={"head": {"choices": ("gap", "probe")}}, trials=6))
    search.search(made, ignore_stages)
    trained = [path for path in (made.folder / "trials").iterdir() if (path / "events.jsonl").is_file()]
    assert len(leaderboard.table(made)) == 2 and len(trained) == 2


def test_failed_trial_is_counted_and_the_sweep_continues(phantom):
    made = sweep.create(
        "failing",
        _plan(
            base=run_config.make(**(BASE | {"learning_rate": 1.0, "optimizer": "sgd"})).plain(),
            settings={"tap": {"choices": ("block3a_out", "block5_out")}, "l2": {"low": 0.5, "high": 1.0}},
            trials=3,
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search.pipeline, "run", _failing)
        search.search(made, ignore_stages)
    table = leaderboard.table(made)
    assert len(table) == 3 and set(table["state"]) == {"failed"}
    assert next(str(message) for message in leaderboard.failures(made)).startswith("Loss became NaN")


def test_trial_whose_features_fail_on_a_cluster_is_a_failed_trial(phantom, monkeypatch):
    monkeypatch.setenv("CXR_EXECUTOR", "dask")
    monkeypatch.setattr(search.cluster, "results", lambda function, tasks, check: (function(task) for task in tasks))
    monkeypatch.setattr(search.pipeline, "compute_features", _failing)
    monkeypatch.setattr(search.pipeline, "run", _failing)
    made = sweep.create("apart", _plan(trials=3))
    search.search(made, ignore_stages)
    assert list(leaderboard.table(made)["state"]) == ["failed"] * 3


def test_trials_of_a_round_do_not_depend_on_the_order_of_their_ends(phantom, monkeypatch):
    def proposed(name, order):
        monkeypatch.setattr(
            search.cluster, "results", lambda function, tasks, check: (_outcome(task) for task in order(tasks))
        )
        made = sweep.create(name, _plan(trials=20))
        search.search(made, ignore_stages)
        return leaderboard.table(made)[["number", "val_loss", "learning_rate", "head"]]

    assert proposed("forwards", list).equals(proposed("backwards", lambda tasks: tasks[::-1]))


def _outcome(task):
    """A loss that is the distance of the logarithm of the learning rate from -2, after two reports."""
    loss = abs(math.log10(task.config.learning_rate) + 2)
    result = search.TrialResult(val_loss=loss, val_accuracy=0.5, kept_epoch=12, n_validation=6)
    return search._Outcome(task.number, {5: loss + 1, 10: loss}, 0.1, result)


def _failing(*arguments, **more):
    raise UserError("Loss became NaN or infinite in epoch {number}. Lower the learning rate.", number=1)


def test_trial_worse_than_the_median_is_ended_early(phantom, monkeypatch):
    """With the median of earlier trials in the journal, a trial that learns nothing is not trained to its end."""
    monkeypatch.setattr(search, "_STARTUP", 2)
    monkeypatch.setattr(search, "_ROUND", 1)
    values = {"base": run_config.make(**(BASE | {"epochs": 60, "early_stopping": 0})).plain()}
    made = sweep.create("early", _plan(**values, settings={"learning_rate": {"low": 1e-8, "high": 0.05}}, trials=4))
    found = search.begin(made)
    for rate in (0.02, 0.03, 0.04, 1e-7):
        found.enqueue_trial({"learning_rate": rate})
    search.search(made, ignore_stages)
    table = leaderboard.table(made).set_index("number")
    assert list(table["state"].sort_index()) == ["finished", "finished", "finished", "ended early"]
    assert len(made.trial(3).epochs) == 10, "the first look after the warm-up"
    assert table["val_loss"][3] > table["val_loss"][0]


def test_time_limit_ends_the_search(phantom):
    made = sweep.create("short", _plan(trials=0, minutes=0.001))
    search.search(made, ignore_stages)
    assert len(leaderboard.table(made)) == 1


def test_sweep_runs_in_a_process_of_its_own(phantom):
    made = sweep.create("apart", _plan(trials=2))
    tasks.start(made, "sweep")
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and (found := tasks.status(made, "sweep")):
        assert found.state == "running", found
        time.sleep(0.2)
    assert len(leaderboard.table(made)) == 2


def test_importance_of_settings(phantom):
    made = sweep.create("knobs", _plan(trials=2))
    search.search(made, ignore_stages)
    assert leaderboard.importance(made) == {}, "two trials tell nothing"
    found = search.study(made)
    for k in range(30):
        found.enqueue_trial({"learning_rate": 10 ** (-4 + k / 10), "head": ("gap", "probe")[k % 2]})
        trial = found.ask()
        rate = trial.suggest_float("learning_rate", 1e-4, 0.1, log=True)
        trial.suggest_categorical("head", ["gap", "probe"])
        found.tell(trial, 1 - rate)
    shares = leaderboard.importance(made)
    assert shares["learning_rate"] > 0.8 > shares["head"]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"trials": 0}, "needs a limit"),
        ({"settings": {"speed": {"choices": (1, 2)}}}, "setting to sweep: expected some of tap"),
        ({"settings": {"dropout": {"low": 0.4, "high": 0.2}}}, "expected low < high"),
        ({"settings": {"dropout": {"low": 0.4, "high": 1.2}}}, "dropout"),
        ({"settings": {"tap": {"choices": ("a", "b")}}}, "tap of cxrtiny"),
        ({"settings": {}}, "settings"),
        ({"base": run_config.make(**BASE, tune={}).plain()}, "no fine-tuning"),
    ],
)
def test_invalid_plan_is_an_error(values, text):
    with pytest.raises(UserError, match=text):
        _plan(**values)


def test_names_of_sweeps(phantom):
    sweep.create("one", _plan())
    with pytest.raises(UserError, match="already"):
        sweep.create("one", _plan())
    with pytest.raises(UserError, match="expected letters"):
        sweep.create("../runs", _plan())
    with pytest.raises(UserError, match="There is no sweep"):
        sweep.load("two")
    assert [found.name for found in sweep.listing()] == ["one"] and sweep.load(
        "one"
    ).plan.base.dataset_version == phantom.version


def test_read_only_server_neither_searches_nor_writes(phantom, monkeypatch):
    made = sweep.create("shown", _plan(trials=2))
    search.search(made, ignore_stages)
    before = made.journal.read_bytes()
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    with pytest.raises(UserError, match="nothing can be changed"):
        search.search(made, ignore_stages)
    assert len(leaderboard.table(made)) == 2 and made.journal.read_bytes() == before


def test_one_process_searches_at_a_time(phantom):
    from filelock import FileLock

    made = sweep.create("busy", _plan())
    with FileLock(made.folder / "search.lock"), pytest.raises(UserError, match="running already"):
        search.search(made, ignore_stages)


def test_trial_whose_run_was_deleted_can_be_promoted_again(phantom):
    made = sweep.create("again", _plan(trials=1))
    search.search(made, ignore_stages)
    first = promote.train(made, 0)
    control.delete(first)
    second = promote.train(made, 0)
    assert second.name != first.name
    runs.create(second.config)  # one that is newer and no trial's
    assert promote.promoted_run(made, 0) == second and promote.promoted_run(made, 1) is None


def test_setting_without_effect_on_the_head_is_swept_only_with_the_head():
    base = run_config.make(dataset="phantom", head="logistic").plain()
    ranges = {"dropout": {"low": 0.0, "high": 0.5}}
    with pytest.raises(UserError, match="dropout has no effect with the head 'logistic': sweep the head too"):
        plan.make({"base": base, "settings": ranges})
    plan.make({"base": base, "settings": ranges | {"head": {"choices": ("gap", "probe")}}})
    plan.make({"base": base, "settings": {"l2": {"low": 0.001, "high": 0.1, "log": True}}})


def _with_trial(name):
    """A sweep of three trials, of which one has a result."""
    made = sweep.create(name, _plan(trials=3))
    found = search.begin(made)
    trial = found.ask()
    trial.suggest_float("learning_rate", 1e-4, 0.1, log=True)
    trial.suggest_categorical("head", ["gap", "probe"])
    for key, value in (("val_loss", 0.5), ("val_accuracy", 0.75), ("seconds", 1.0)):
        trial.set_user_attr(key, value)
    found.tell(trial, 0.5)
    return made


def test_line_of_the_journal_that_was_cut_short_does_not_end_the_sweep(phantom, monkeypatch):
    def failed(task):
        return search._Outcome(task.number, {}, 1.0, message=msg("the disk is full"))

    monkeypatch.setattr(search, "_train_trial", failed)
    made = _with_trial("torn")
    whole = made.journal.read_bytes()
    with made.journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"x","stu')
    assert list(leaderboard.table(made)["val_loss"]) == [0.5] and doctor.check() == []
    search.search(made, ignore_stages)
    assert made.journal.read_bytes().startswith(whole + b'{"op_code"')
    assert list(leaderboard.table(made)["state"]) == ["finished", "failed", "failed"]
    assert search.remaining(made) == 0 and doctor.check() == []


@pytest.mark.parametrize(
    "line", ["garbage", "[]", '{"op_code": 99}', '{"op_code": 4}', "[" * 3000, '{"op_code": 8, "user_attr": "\\ud800"}']
)
def test_damaged_journal_is_named(phantom, line):
    made = _with_trial("damaged")
    made.journal.write_bytes(made.journal.read_bytes() + line.encode() + b"\n")
    for read in (leaderboard.table, leaderboard.failures, leaderboard.importance, search.remaining):
        with pytest.raises(DamagedFileError, match=r"journal\.log is damaged"):
            read(made)
    before = made.journal.read_bytes()
    with pytest.raises(DamagedFileError, match=r"journal\.log is damaged"):
        search.search(made, ignore_stages)
    assert made.journal.read_bytes() == before
    (found,) = doctor.check()
    assert found.path == made.journal and f"Sweep damaged is damaged: {made.journal} is damaged" in str(found.message)


def test_reading_a_journal_without_trials_does_not_write_it(phantom):
    made = sweep.create("new", _plan())
    assert leaderboard.table(made).empty and leaderboard.importance(made) == {} and search.remaining(made) == 1
    assert doctor.check() == [] and not made.journal.exists()
    for content in (b"", b'{"op_code":0,"wor'):
        made.journal.write_bytes(content)
        assert leaderboard.table(made).empty and leaderboard.importance(made) == {} and search.remaining(made) == 6
        assert made.journal.read_bytes() == content


def test_sweeps_that_may_not_be_read_are_named(phantom, denied):
    made, other = sweep.create("first", _plan()), sweep.create("second", _plan())
    with denied(made.folder):
        assert sweep.listing() == [other]
        (found,) = sweep.damaged()
        assert (found.name, str(found.message)) == (
            "first",
            f"{made.folder / 'plan.json'} is not readable: Permission denied.",
        )
    with denied(made.folder.parent), pytest.raises(UserError, match="sweeps is not readable: Permission denied"):
        sweep.listing()
    assert set(sweep.listing()) == {made, other}
