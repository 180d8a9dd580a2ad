"""External validation: a run tested on another dataset, compared with its own test images."""

from typing import Any

import pandas as pd
from pydantic import Field

from cxrcore import settings
from cxrcore.data import dataset
from cxrcore.data.classes import display, matching
from cxrcore.errors import UserError
from cxrcore.evaluation import external_duplicates, intervals, metrics
from cxrcore.features import extract
from cxrcore.i18n import N_
from cxrcore.inference import ood, predict
from cxrcore.messages import Message, msg
from cxrcore.metric import ClassificationMetrics, Metric
from cxrcore.progress import StageProgress, ignore_stages, of_stage
from cxrcore.runs import Run
from cxrcore.schema import Stored, migrate_metrics

FOLDER = external_duplicates.FOLDER
STAGES = external_duplicates.STAGES | {"predicting": N_("Testing")}
_DUPLICATES = "duplicates.parquet"


class ExternalEvaluation(Stored):
    """`evaluations/<dataset>/metrics.json`.

    Attributes:
        metrics: of the images that were tested.
        dataset: its name.
        version: of the dataset.
        elsewhere: whether they are real images of other sources than the run's own.
        unknown_classes: classes of the dataset that the run does not know; their images were not tested.
        absent_classes: classes of the run of which no image was tested.
        known_images: exact duplicates: images with the same pixels as one of the run's.
        drop: accuracy on the run's own test images minus that on these.
        sentence: the result in words.
        near_duplicates: copies of an image of the run, rescaled, compressed again or cropped; None in a file of an
            earlier version, which looked for identical files only.
        duplicates_tested: whether exact and near duplicates were tested like the others.
        unmeasured: images of the run whose file is missing or changed; only identical files were looked for among them.
        out_of_distribution: share of the tested images beyond the run's out-of-distribution threshold, None for a run
            without a detector.
        own_out_of_distribution: the same of the run's own test images.
        matched: classes of the dataset that are called otherwise in the run, with the run's class.
    """

    metrics: ClassificationMetrics
    dataset: str
    version: int
    elsewhere: bool
    unknown_classes: list[str]
    absent_classes: list[str]
    known_images: int
    drop: Metric
    sentence: Message
    near_duplicates: int | None = None
    duplicates_tested: bool = False
    unmeasured: int = 0
    out_of_distribution: Metric | None = None
    own_out_of_distribution: Metric | None = None
    matched: dict[str, str] = Field(default_factory=dict)

    @property
    def checks(self) -> list[Message]:
        """What is to be known beside the result: duplicates, and the share of images out of distribution."""
        return [*self._duplicates(), *self._distribution(), *self._classes()]

    @property
    def summary(self) -> Message:
        """The result and the checks as one text."""
        parts = [self.sentence, *self.checks]
        values = {f"part{k}": part for k, part in enumerate(parts)}
        return Message(id=" ".join(f"{{{name}}}" for name in values), values=values)

    def _duplicates(self) -> list[Message]:
        exact, near = self.known_images, self.near_duplicates
        if near is None:
            return [msg("{n} images that the run already has were left out.", n=exact)] if exact else []
        if self.duplicates_tested and exact + near:
            found = msg(
                "Duplicates of the run's images were tested too, which makes the result too good: {exact} exact, "
                "{near} near.",
                exact=exact,
                near=near,
            )
        else:
            found = msg(
                "Images tested: {n}. Left out as duplicates of the run's images: {exact} exact, {near} near.",
                n=self.metrics.n,
                exact=exact,
                near=near,
            )
        if not self.unmeasured:
            return [found]
        missing = msg(
            "The files of {n} images of the run are missing or have changed: only identical files were looked for "
            "among them.",
            n=self.unmeasured,
        )
        return [found, missing]

    def _classes(self) -> list[Message]:
        if not self.matched:
            return []
        pairs = [msg("{old} as {new}", old=display(old), new=display(new)) for old, new in self.matched.items()]
        return [msg("Classes of other names: {pairs}.", pairs=pairs)]

    def _distribution(self) -> list[Message]:
        share, own = self.out_of_distribution, self.own_out_of_distribution
        if share is None or own is None:
            older = self.near_duplicates is None
            return [] if older else [msg("This run has no out-of-distribution detector. Train it again to have one.")]
        return [
            msg(
                "Out of distribution: {share:.1%} of the tested images ({out} of {n}, 95% interval {low:.1%} to "
                "{high:.1%}); of the run's own test images {alarms} of {tested}.",
                share=share.value,
                out=share.successes,
                n=share.n,
                low=share.low,
                high=share.high,
                alarms=own.successes,
                tested=own.n,
            )
        ]

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Version 1 had the metrics at the top."""
        migrated: dict[str, Any] = migrate_metrics(values)
        names = ClassificationMetrics.__dataclass_fields__
        metrics = {name: migrated.pop(name) for name in names}
        return migrated | {"metrics": metrics}


def evaluate(
    run: Run, name: str, progress: StageProgress = ignore_stages, include_duplicates: bool = False
) -> ExternalEvaluation:
    """Test `run` on the dataset `name`, and keep the result, the predictions and the duplicates with the run.

    Classes are matched by name, see `classes.matching`. Images of a class that the run does not know are not tested.

    Args:
        run: the run.
        name: of the dataset.
        progress: called with a stage of `STAGES`, images done and images in all.
        include_duplicates: whether to test exact and near duplicates of the run's images too.

    Raises:
        UserError: no such dataset, no image in it that can be tested, or the run has no model.
    """
    settings.require_writable()
    if name == run.config.dataset:
        raise UserError("{name} is the dataset that this run was trained on. Choose another dataset.", name=name)
    data, classes = dataset.load(name), run.classes
    usable = data.usable
    internal, _ = run.results.test.accuracy, run.model_file  # raise before images are compared
    matched = {label: matching(label, classes) for label in sorted(set(usable["label"]))}
    usable = usable.assign(label=[matched[label] or label for label in usable["label"]])
    known = usable[usable["label"].isin(classes)].reset_index(drop=True).assign(split=dataset.TEST)
    if known.empty:
        raise _nothing_to_test(name, len(usable), 0)
    found = external_duplicates.find(run, data, known, progress)
    run.write_table(f"{FOLDER}/{name}/{_DUPLICATES}", found.pairs)
    table = known if include_duplicates else known[~(found.exact | found.near)].reset_index(drop=True)
    if table.empty:
        raise _nothing_to_test(name, len(usable) - len(known), len(known))
    callbacks = extract.ExtractionCallbacks(of_stage(progress, "predicting"))
    probabilities, scores = predict.probabilities_and_ood_scores(run, table, callbacks)
    detector = ood.load(run.folder / ood.FILE)
    predictions = metrics.predictions(table, probabilities, classes)
    values = metrics.evaluate(predictions, classes)
    drop = _drop(internal, values.accuracy)
    repeated = include_duplicates and not found.pairs.empty
    elsewhere = not (data.is_phantom or repeated or set(table["source"]) & set(run.table["source"]))
    evaluation = ExternalEvaluation(
        metrics=values,
        dataset=name,
        version=data.version,
        elsewhere=elsewhere,
        unknown_classes=sorted(set(usable["label"]) - set(classes)),
        matched={label: other for label, other in matched.items() if other not in ("", label)},
        absent_classes=[label for label in classes if label not in set(table["label"])],
        known_images=int(found.exact.sum()),
        drop=drop,
        sentence=_sentence(name, values.accuracy, drop),
        near_duplicates=int(found.near.sum()),
        duplicates_tested=include_duplicates,
        unmeasured=found.unmeasured,
        out_of_distribution=None if scores is None else intervals.proportion(int((scores > 1).sum()), len(scores)),
        own_out_of_distribution=intervals.proportion(detector.alarms, detector.tested) if detector else None,
    )
    run.write_table(f"{FOLDER}/{name}/predictions.parquet", predictions)
    evaluation.write(run.folder / FOLDER / name / "metrics.json")
    return evaluation


def duplicates(run: Run, name: str) -> pd.DataFrame:
    """Return the pairs of the dataset `name` and the run, see `external_duplicates.Duplicates`, none before a test."""
    if not (run.folder / FOLDER / name / _DUPLICATES).is_file():
        return pd.DataFrame()
    return run.read_table(f"{FOLDER}/{name}/{_DUPLICATES}")


def load_all(run: Run) -> list[ExternalEvaluation]:
    """Return the evaluations on other datasets, by name.

    Raises:
        DamagedFileError: a file is damaged.
    """
    paths = sorted((run.folder / FOLDER).glob("*/metrics.json"))
    return [ExternalEvaluation.read(path) for path in paths]


def _nothing_to_test(name: str, unknown: int, seen: int) -> UserError:
    return UserError(
        "{name} has no image that this run can be tested on: {unknown} are of classes that it does not know, {seen} "
        "are images that it already has, or copies of them.",
        name=name,
        unknown=unknown,
        seen=seen,
    )


def _drop(internal: Metric, external: Metric) -> Metric:
    """Return the difference of two accuracies with its interval; n counts the external images."""
    first, second = (_counts(metric) for metric in (internal, external))
    low, high = intervals.difference(first, second)
    return Metric(first[0] / first[1] - second[0] / second[1], low, high, external.n)


def _counts(metric: Metric) -> tuple[int, int]:
    assert metric.successes is not None
    return metric.successes, metric.n


def _sentence(name: str, accuracy: Metric, drop: Metric) -> Message:
    assert drop.value is not None and drop.low is not None and drop.high is not None
    if drop.value > 0:
        change = msg("{points:.1f} percentage points lower than", points=100 * drop.value)
    elif drop.value < 0:
        change = msg("{points:.1f} percentage points higher than", points=-100 * drop.value)
    else:
        change = msg("the same as")
    sentence = msg(
        "On {name} the accuracy is {accuracy:.1%} ({correct} of {n}), {change} on its own test images (drop {drop:.1f} "
        "percentage points, 95% interval {low:.1f} to {high:.1f}).",
        name=name,
        accuracy=accuracy.value,
        correct=accuracy.successes,
        n=accuracy.n,
        change=change,
        drop=100 * drop.value,
        low=100 * drop.low,
        high=100 * drop.high,
    )
    if drop.low <= 0 <= drop.high:
        return msg("{sentence} The difference may be due to chance.", sentence=sentence)
    return sentence
