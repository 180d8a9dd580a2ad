"""External validation: a run tested on another dataset, compared with its own test images."""

from typing import Any

from cxrcore import settings
from cxrcore.data import dataset
from cxrcore.errors import UserError
from cxrcore.evaluation import intervals, metrics
from cxrcore.features import extract
from cxrcore.inference import predict
from cxrcore.messages import Message, msg
from cxrcore.metric import ClassificationMetrics, Metric
from cxrcore.runs import Run
from cxrcore.schema import Stored, migrate_metrics

FOLDER = "evaluations"


class ExternalEvaluation(Stored):
    """`evaluations/<dataset>/metrics.json`.

    Attributes:
        metrics: of the images that were tested.
        dataset: its name.
        version: of the dataset.
        elsewhere: whether they are real images of other sources than the run's own.
        unknown_classes: classes of the dataset that the run does not know; their images were not tested.
        absent_classes: classes of the run of which no image was tested.
        known_images: images that the run already has; they were not tested.
        drop: accuracy on the run's own test images minus that on these.
        sentence: the result in words.
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

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Version 1 had the metrics at the top."""
        migrated: dict[str, Any] = migrate_metrics(values)
        names = ClassificationMetrics.__dataclass_fields__
        metrics = {name: migrated.pop(name) for name in names}
        return migrated | {"metrics": metrics}


def evaluate(run: Run, name: str, callbacks: extract.ExtractionCallbacks | None = None) -> ExternalEvaluation:
    """Test `run` on the dataset `name`, and keep the result and the predictions with the run.

    Classes are matched by name. Images of a class that the run does not know, and images that it already has, are not
    tested.

    Raises:
        UserError: no such dataset, no image in it that can be tested, or the run has no model.
    """
    settings.require_writable()
    if name == run.config.dataset:
        raise UserError("{name} is the dataset that this run was trained on. Choose another dataset.", name=name)
    data, own, classes = dataset.load(name), run.table, run.classes
    internal = run.results.test.accuracy
    known = data.usable["label"].isin(classes)
    new = ~data.usable["sha256"].isin(own["sha256"])
    table = data.usable[known & new].reset_index(drop=True).assign(split=dataset.TEST)
    if table.empty:
        raise UserError(
            "{name} has no image that this run can be tested on: {unknown} are of classes that it does not know, "
            "{seen} are images that it already has.",
            name=name,
            unknown=int((~known).sum()),
            seen=int((~new).sum()),
        )
    predictions = metrics.predictions(table, predict.probabilities(run, table, callbacks), classes)
    found = metrics.evaluate(predictions, classes)
    drop = _drop(internal, found.accuracy)
    evaluation = ExternalEvaluation(
        metrics=found,
        dataset=name,
        version=data.version,
        elsewhere=not data.is_phantom and not set(table["source"]) & set(own["source"]),
        unknown_classes=sorted(set(data.usable["label"]) - set(classes)),
        absent_classes=[label for label in classes if label not in set(table["label"])],
        known_images=int((~new).sum()),
        drop=drop,
        sentence=_sentence(name, found.accuracy, drop),
    )
    run.write_table(f"{FOLDER}/{name}/predictions.parquet", predictions)
    evaluation.write(run.folder / FOLDER / name / "metrics.json")
    return evaluation


def load_all(run: Run) -> list[ExternalEvaluation]:
    """Return the evaluations on other datasets, by name.

    Raises:
        DamagedFileError: a file is damaged.
    """
    paths = sorted((run.folder / FOLDER).glob("*/metrics.json"))
    return [ExternalEvaluation.read(path) for path in paths]


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
