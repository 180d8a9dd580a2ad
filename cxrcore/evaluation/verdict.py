"""Whether a run went wrong: its test against always answering the most frequent class, and signs of failed training."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd

from cxrcore.config.run_config import RunConfig
from cxrcore.data import dataset
from cxrcore.data.classes import display
from cxrcore.errors import DamagedFileError
from cxrcore.evaluation import intervals, metrics
from cxrcore.evaluation.training_loss import advice, constant_loss
from cxrcore.messages import Message, msg, some
from cxrcore.metric import Metric
from cxrcore.runs import EpochMetrics, Run, RunEvent
from cxrcore.runs.run import RESAMPLING_TABLE
from cxrcore.schema import Stored, to_plain

Level = Literal["good", "caution", "bad"]
GOOD: Level = "good"
CAUTION: Level = "caution"
BAD: Level = "bad"
FindingId = Literal[
    "one-answer",
    "no-better",
    "never-predicted",
    "imbalanced",
    "few-images",
    "collapsed",
    "exploded",
    "loss-not-falling",
    "overfit",
]
FILE = "verdict.json"
# With fewer images of other classes than the most frequent one, nothing is concluded from the answers.
_FEWEST_OTHERS = 6
_NOT_FALLEN = 0.98  # of the loss of predicting the class frequencies
_FEWEST_EPOCHS = 3
_FAR_ABOVE = 0.1  # lower end of the interval of training minus validation accuracy
_MOST_NAMED = 3
_RELEVANT_SHARE = 0.1  # of the test images: more of classes never predicted make a model bad


@dataclass(frozen=True)
class Finding:
    """Something that went wrong: `title` in a few words for lists, `message` a sentence with numbers."""

    id: FindingId
    level: Level
    title: Message
    message: Message


@dataclass(frozen=True)
class Verdict:
    """What a run's results say of it.

    Attributes:
        accuracy: of the model on the judged images, with Wilson's interval.
        baseline: accuracy of always answering `majority` on the same images, with Wilson's interval.
        majority: the class with most training images.
        difference: accuracy minus baseline, -1 to 1, with its interval (see `judge`).
        findings: the most serious first.
    """

    accuracy: Metric
    baseline: Metric
    majority: str
    difference: Metric
    findings: list[Finding] = field(default_factory=list)

    @property
    def level(self) -> Level:
        """The level of the most serious finding, `good` without findings."""
        return self.findings[0].level if self.findings else GOOD

    @property
    def title(self) -> Message:
        """The most serious finding in a few words."""
        return self.findings[0].title if self.findings else msg("no problem found")

    @property
    def messages(self) -> list[Message]:
        """The findings as sentences; without findings, the comparison with the baseline."""
        return [finding.message for finding in self.findings] or [_better(self)]

    def plain(self) -> dict[str, Any]:
        """Return the verdict as JSON has it, texts in English."""
        return {
            "level": self.level,
            "findings": [
                {"id": found.id, "level": found.level, "title": str(found.title), "text": str(found.message)}
                for found in self.findings
            ],
            "baseline": {"class": self.majority} | to_plain(self.baseline),
            "difference": to_plain(self.difference),
        }


class KeptVerdict(Stored):
    """`verdict.json`: the verdict, and when each file was written that it is of, see `_written`."""

    of: list[int]
    verdict: Verdict


def of_run(run: Run) -> Verdict | None:
    """Return the verdict on a run, of k-fold cross-validation on the images of all folds; None before there are
    results, and where a file that it needs is missing or damaged.
    """
    written = _written(run)
    with suppress(DamagedFileError):
        return _of_run(run, written) if written[0] else None
    return None


def keep(run: Run) -> None:
    """Write the verdict on a run whose results are written, so that a list of runs need not read their tables."""
    with suppress(DamagedFileError):
        KeptVerdict(of=list(_written(run)), verdict=_computed(run)).write(run.folder / FILE)


def _written(run: Run) -> tuple[int, ...]:
    """Return when each file was written that results are in, in nanoseconds; 0 for one that is not there."""
    files = (run.folder / "metrics.json", run.resampling_file(RESAMPLING_TABLE))
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files)


@lru_cache(maxsize=20_000)
def _of_run(run: Run, written: tuple[int, ...]) -> Verdict:
    kept = _kept(run, written)
    return kept.verdict if kept else _computed(run)


def is_kept(run: Run) -> bool:
    """Return whether the verdict on a run can be told without reading its tables."""
    return _kept(run, _written(run)) is not None


def _kept(run: Run, written: tuple[int, ...]) -> KeptVerdict | None:
    with suppress(DamagedFileError):
        found = KeptVerdict.read_if_present(run.folder / FILE)
        if found and tuple(found.of) == written:
            return found
    return None


def _computed(run: Run) -> Verdict:
    table, images = _tested(run), run.table
    trained = images.loc[images["split"] == dataset.TRAIN, "label"]
    several = len(table) > run.results.n_test
    return judge(
        table,
        run.classes,
        trained.value_counts().to_dict(),
        unseen=table if several else run.predictions("validation"),
        epochs=run.epochs,
        kept_epoch=run.results.kept_epoch,
        events=run.events,
        config=run.config,
    )


def _tested(run: Run) -> pd.DataFrame:
    """Return the predictions of the test images, of all folds where each image was tested in one of them."""
    found = run.resampling
    if found and found.kind == "kfold" and len(found.done) == found.planned:
        return run.read_table(run.resampling_file(RESAMPLING_TABLE).name)
    return run.predictions("test")


def judge(
    table: pd.DataFrame,
    classes: Sequence[str],
    training: Mapping[str, int],
    *,
    unseen: pd.DataFrame | None = None,
    epochs: Sequence[EpochMetrics] = (),
    kept_epoch: int = 0,
    events: Sequence[RunEvent] = (),
    config: RunConfig | None = None,
) -> Verdict:
    """Return the verdict on a prediction table.

    The model and always answering the most frequent class are compared on the same images: the interval of the
    difference is that of `intervals.paired_difference`. Images of one patient are not independent, so the counts are
    scaled down to one image for each patient, which makes the interval wide rather than narrow.

    The model is "no better" where the interval reaches 0 or below and either the accuracy is not above the baseline,
    or the interval excludes half of what could be gained. Where neither can be said, there are too few images to tell.

    Args:
        table: predictions of images that the model was not trained on, with `label`, `predicted`, `patient` and
            `p_<class>`; one row or more.
        classes: the classes in the model's order.
        training: the number of training images of each class; if empty, the classes of `table` are counted.
        unseen: predictions that the training accuracy is compared with, None for no comparison.
        epochs: the training curves.
        kept_epoch: the epoch whose weights the model has.
        events: what happened during training.
        config: of the run, for advice on what to change.
    """
    counts = training or table["label"].value_counts().to_dict()
    majority = max(classes, key=lambda name: counts.get(name, 0))
    correct = (table["predicted"] == table["label"]).to_numpy()
    constant = (table["label"] == majority).to_numpy()
    n, patients = len(table), table["patient"].nunique()
    found = Verdict(
        accuracy=intervals.proportion(int(correct.sum()), n),
        baseline=intervals.proportion(int(constant.sum()), n),
        majority=majority,
        difference=_difference(correct, constant, patients),
    )
    findings = [
        _one_answer(table),
        _against_baseline(found, table, classes),
        _never_predicted(table, classes),
        _in_training(events) or _loss_not_falling(epochs, counts, config),
        _overfit(epochs, kept_epoch, sum(training.values()), unseen),
    ]
    serious = [finding for finding in findings if finding]
    serious.sort(key=lambda finding: finding.level != BAD)  # stable: the order above within a level
    return Verdict(found.accuracy, found.baseline, majority, found.difference, serious)


def _difference(correct: np.ndarray, constant: np.ndarray, patients: int) -> Metric:
    n, scale = len(correct), patients / len(correct)
    cells = [correct & constant, correct & ~constant, ~correct & constant, ~correct & ~constant]
    low, high = intervals.paired_difference(*(float(cell.sum()) * scale for cell in cells))
    return Metric(float(correct.mean() - constant.mean()), low, high, n)


def _numbers(found: Verdict) -> dict[str, object]:
    difference = found.difference
    return {
        "label": display(found.majority),
        "correct": found.accuracy.successes,
        "constant": found.baseline.successes,
        "n": found.accuracy.n,
        "low": 100 * (difference.low or 0.0),
        "high": 100 * (difference.high or 0.0),
    }


def _better(found: Verdict) -> Message:
    return msg(
        "Better than always answering {label}: {correct} of {n} test images are correct, against {constant}. The 95% "
        "interval of the difference is {low:.1f} to {high:.1f} points.",
        **_numbers(found),
    )


def _one_answer(table: pd.DataFrame) -> Finding | None:
    (answer, *others) = table["predicted"].unique()
    if others or (different := int((table["label"] != answer).sum())) < _FEWEST_OTHERS:
        return None
    return Finding(
        "one-answer",
        BAD,
        msg("always answers {label}", label=display(answer)),
        msg(
            "Answers {label} to all {n} test images, although {different} of them are of other classes.",
            label=display(answer),
            n=len(table),
            different=different,
        ),
    )


def _against_baseline(found: Verdict, table: pd.DataFrame, classes: Sequence[str]) -> Finding | None:
    """Return why the model is not better than the baseline, None if it is."""
    difference, baseline = found.difference, found.baseline.value or 0.0
    assert difference.value is not None and difference.low is not None and difference.high is not None
    if difference.low > 0:
        return None
    others = table.loc[table["label"] != found.majority, "patient"].nunique()
    is_below = difference.value <= 0 and others >= _FEWEST_OTHERS
    if not is_below and difference.high >= (1 - baseline) / 2:
        return Finding(
            "few-images",
            CAUTION,
            msg("too few test images to tell"),
            msg(
                "Too few test images to tell whether the model is better than always answering {label}: {correct} of "
                "{n} are correct, against {constant}. The 95% interval of the difference is {low:.1f} to {high:.1f} "
                "points.",
                **_numbers(found),
            ),
        )
    return _imbalanced(found, table, classes) or Finding(
        "no-better",
        BAD,
        msg("no better than always answering {label}", label=display(found.majority)),
        msg(
            "No better than always answering {label}, the most frequent class: {correct} of {n} test images are "
            "correct, against {constant}. The 95% interval of the difference is {low:.1f} to {high:.1f} points.",
            **_numbers(found),
        ),
    )


def _imbalanced(found: Verdict, table: pd.DataFrame, classes: Sequence[str]) -> Finding | None:
    """Return that the classes are told apart in spite of the accuracy, if the balanced accuracy shows it."""
    balanced = metrics.evaluate(table, classes).balanced_accuracy
    chance = 1 / table["label"].nunique()
    if balanced.low is None or balanced.low <= chance:
        return None
    return Finding(
        "imbalanced",
        CAUTION,
        msg("accuracy not above always answering {label}", label=display(found.majority)),
        msg(
            "Accuracy is not above that of always answering {label}, which {constant} of {n} test images are. The "
            "model tells the classes apart nevertheless: balanced accuracy {balanced:.1%} (95% interval {low:.1%} to "
            "{high:.1%}), against {chance:.1%} for any constant answer. Consider sensitivity and specificity.",
            label=display(found.majority),
            constant=found.baseline.successes,
            n=found.baseline.n,
            balanced=balanced.value,
            low=balanced.low,
            high=balanced.high,
            chance=chance,
        ),
    )


def _never_predicted(table: pd.DataFrame, classes: Sequence[str]) -> Finding | None:
    """Return the classes that are never predicted, unless so few patients have one that it may be chance.

    A class that is recognised in half of its patients is missed in all n of them with probability 0.5 ** n. It counts
    where this is at most 5 % over all tested classes together (Bonferroni).
    """
    patients = table.groupby("label")["patient"].nunique()
    images, predicted = table["label"].value_counts(), set(table["predicted"].unique())
    missed = [
        name
        for name in classes
        if name in patients and name not in predicted and 0.5 ** int(patients[name]) * len(patients) <= 0.05
    ]
    if not missed or len(predicted) == 1:
        return None
    missed.sort(key=lambda name: -images[name])
    shown = [msg("{label} ({n} test images)", label=display(name), n=int(images[name])) for name in missed]
    return Finding(
        "never-predicted",
        BAD if images[missed].sum() >= _RELEVANT_SHARE * len(table) else CAUTION,
        msg("never predicts {classes}", classes=some([display(name) for name in missed], _MOST_NAMED)),
        msg("Never predicts {classes}.", classes=some(shown, _MOST_NAMED)),
    )


def _in_training(events: Sequence[RunEvent]) -> Finding | None:
    """Return the warning that was given during training."""
    titles = {
        "collapsed": msg("same answer for every training image"),
        "exploded": msg("training loss exploded"),
    }
    for event in events:
        if event.event in titles:
            return Finding(event.event, CAUTION, titles[event.event], event.message)  # type: ignore[arg-type]
    return None


def _loss_not_falling(
    epochs: Sequence[EpochMetrics], counts: Mapping[str, int], config: RunConfig | None
) -> Finding | None:
    if len(epochs) < _FEWEST_EPOCHS:
        return None
    constant, first = constant_loss(list(counts.values())), epochs[0].loss
    last = float(np.median([epoch.loss for epoch in epochs[-min(3, len(epochs) // 2) :]]))
    if last < _NOT_FALLEN * constant:
        return None
    text = msg(
        "Training loss did not fall clearly below {constant:.3f}, that of predicting the class frequencies for every "
        "image: {first:.3f} in the first epoch, {last:.3f} in the last ones.",
        constant=constant,
        first=first,
        last=last,
    )
    is_falling = last < _NOT_FALLEN * first and last > constant / _NOT_FALLEN
    if is_falling:
        text = msg("{text} {advice}", text=text, advice=msg("It still fell: train for more epochs."))
    elif config:
        text = msg("{text} {advice}", text=text, advice=advice(config))
    return Finding("loss-not-falling", CAUTION, msg("training loss did not fall"), text)


def _overfit(
    epochs: Sequence[EpochMetrics], kept_epoch: int, trained: int, unseen: pd.DataFrame | None
) -> Finding | None:
    kept = next((epoch for epoch in epochs if epoch.epoch == kept_epoch), None)
    if kept is None or not trained or unseen is None or unseen.empty:
        return None
    correct, n = int((unseen["predicted"] == unseen["label"]).sum()), len(unseen)
    low, high = intervals.difference((round(kept.accuracy * trained), trained), (correct, n))
    if low < _FAR_ABOVE:
        return None
    return Finding(
        "overfit",
        CAUTION,
        msg("training far above validation"),
        msg(
            "Training accuracy {training:.1%} is far above the {validation:.1%} on {n} images that were not trained "
            "on: the 95% interval of the difference is {low:.1f} to {high:.1f} points. More patients or a stronger "
            "regularisation may help.",
            training=kept.accuracy,
            validation=correct / n,
            n=n,
            low=100 * low,
            high=100 * high,
        ),
    )
