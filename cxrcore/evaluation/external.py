"""A run tested on another dataset: its own result beside the internal one, and how far it drops."""

from pathlib import Path
from typing import Any

import numpy as np

from cxrcore.data import dataset
from cxrcore.errors import UserError
from cxrcore.evaluation import intervals, metrics
from cxrcore.features import extract
from cxrcore.files import read_json
from cxrcore.runs import Run

FOLDER = "evaluations"


def evaluate(run: Run, name: str, hooks: extract.Hooks | None = None) -> dict[str, Any]:
    """Return the metrics of `run` on the dataset `name`, and keep them and the predictions with the run.

    Classes are matched by name; images of a class that the run does not know are not tested on, nor are images that the
    run learned from or was chosen by. Beside the metrics: `dataset`, `version`, `unknown_classes` and `absent_classes`
    (names), `known_images` (how many the run has seen), `drop` and `sentence`.

    Raises:
        UserError: no such dataset, nothing in it that can be tested, or the run has no model.
    """
    hooks = hooks or extract.Hooks()
    internal = run.metrics
    if internal is None:
        raise UserError(f"Run {run.name} has no results ({run.status['state']}). Choose a finished run.")
    data, seen, classes = dataset.load(name), run.table, internal["classes"]
    learned = set(seen["sha256"][seen["split"] != dataset.TEST])
    known = data.usable["label"].isin(classes)
    new = ~data.usable["sha256"].isin(learned)
    table = data.usable[known & new].reset_index(drop=True).assign(split=dataset.TEST)
    if table.empty:
        raise UserError(
            f"{name} holds no image that this run can be tested on: {int((~known).sum())} are of classes it does not "
            f"know, {int((~new).sum())} it has learned from."
        )
    predictions = metrics.predictions(table, _probabilities(run, table, hooks), classes)
    found = metrics.evaluate(predictions, classes) | {
        "dataset": name,
        "version": data.version,
        "phantom": data.is_phantom,
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


def _probabilities(run: Run, table: Any, hooks: extract.Hooks) -> np.ndarray:
    from cxrcore.explain.classifier import Classifier  # only what computes imports TensorFlow

    classifier, answers = Classifier(run), []
    paths = [Path(path) for path in table["path"]]
    for pixels in extract.batches(paths, classifier.size, list(table["sha256"])):
        hooks.check()
        answers.append(classifier.probabilities(pixels))
        hooks.progress(sum(map(len, answers)), len(paths))
    return np.concatenate(answers)


def _drop(internal: dict[str, Any], external: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the accuracy lost, internal minus external, with its interval, and the sentence that says so."""
    first, second = ((part["successes"], part["n"]) for part in (internal, external))
    low, high = intervals.difference(first, second)
    drop = internal["value"] - external["value"]
    how = "lower" if drop > 0 else "higher"
    sure = "" if low > 0 or high < 0 else ", which may be chance"
    sentence = (
        f"On {name} it is right on {external['value']:.1%} ({second[0]} of {second[1]}), {100 * abs(drop):.1f} points "
        f"{how} than on its own test images{sure} (drop {100 * drop:.1f} points, 95 % interval {100 * low:.1f} to "
        f"{100 * high:.1f})."
    )
    return {"drop": {"value": drop, "ci95": [low, high]}, "sentence": sentence}
