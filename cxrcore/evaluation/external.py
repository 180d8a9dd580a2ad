"""A run tested on another dataset: its own result beside the internal one, and how far it drops."""

from typing import Any

from cxrcore import settings
from cxrcore.data import dataset
from cxrcore.errors import UserError
from cxrcore.evaluation import intervals, metrics
from cxrcore.features import extract
from cxrcore.files import read_json
from cxrcore.i18n import N_
from cxrcore.inference import predict
from cxrcore.messages import msg
from cxrcore.runs import Run

FOLDER = "evaluations"


def evaluate(run: Run, name: str, hooks: extract.Hooks | None = None) -> dict[str, Any]:
    """Return the metrics of `run` on the dataset `name`, and keep them and the predictions with the run.

    Classes are matched by name; images of a class that the run does not know are not tested on, nor are images of the
    run itself. Beside the metrics: `dataset`, `version`, `unknown_classes` and `absent_classes` (names), `known_images`
    (how many are the run's own), `elsewhere` (real images of other sources than the run's), `drop` and `sentence`.

    Raises:
        UserError: no such dataset, nothing in it that can be tested, or the run has no model.
    """
    settings.require_writable()
    hooks = hooks or extract.Hooks()
    internal = run.results
    if name == run.config["dataset"]:
        raise UserError("{name} is what this run learned from. Choose a dataset from elsewhere.", name=name)
    data, seen, classes = dataset.load(name), run.table, internal["classes"]
    known = data.usable["label"].isin(classes)
    new = ~data.usable["sha256"].isin(seen["sha256"])
    table = data.usable[known & new].reset_index(drop=True).assign(split=dataset.TEST)
    if table.empty:
        raise UserError(
            "{name} holds no image that this run can be tested on: {unknown} are of classes it does not know, "
            "{seen} it has seen.",
            name=name,
            unknown=int((~known).sum()),
            seen=int((~new).sum()),
        )
    predictions = metrics.predictions(table, predict.probabilities(run, table, hooks), classes)
    found = metrics.evaluate(predictions, classes) | {
        "dataset": name,
        "version": data.version,
        "elsewhere": not data.is_phantom and not set(table["source"]) & set(seen["source"]),
        "unknown_classes": sorted(set(data.usable["label"]) - set(classes)),
        "absent_classes": [label for label in classes if label not in set(table["label"])],
        "known_images": int((~new).sum()),
    }
    found |= _drop(internal["accuracy"], found["accuracy"], name)
    run.write_table(f"{FOLDER}/{name}/predictions.parquet", predictions)
    run.write(f"{FOLDER}/{name}/metrics.json", found)
    return found


def kept(run: Run) -> list[dict[str, Any]]:
    """Return what `evaluate` found on other datasets, by name."""
    return [read_json(path) for path in sorted((run.folder / FOLDER).glob("*/metrics.json"))]


def _drop(internal: dict[str, Any], external: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the accuracy lost, internal minus external, with its interval, and the sentence that says so."""
    first, second = ((part["successes"], part["n"]) for part in (internal, external))
    low, high = intervals.difference(first, second)
    drop = internal["value"] - external["value"]
    points = abs(100 * drop)
    how = N_("as often as")
    if drop > 0:
        how = msg("{points:.1f} percentage points less often than", points=points)
    elif drop < 0:
        how = msg("{points:.1f} percentage points more often than", points=points)
    sentence = msg(
        "On {name} it is right on {share:.1%} ({right} of {n}), {how} on its own test images (drop {drop:.1f} "
        "percentage points, 95% interval {low:.1f} to {high:.1f}).",
        name=name, share=external["value"], right=second[0], n=second[1], how=how,
        drop=100 * drop, low=100 * low, high=100 * high,
    )  # fmt: skip
    if low <= 0 <= high:
        sentence = msg("{sentence} The difference may be chance.", sentence=sentence)
    return {"drop": {"value": drop, "ci95": [low, high]}, "sentence": sentence}
