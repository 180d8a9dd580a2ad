"""`cxr demo` and `cxr train`."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from cxrcore import runs
from cxrcore.cli import terminal
from cxrcore.cli.data import Json
from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.runs import Run
from cxrcore.training import pipeline
from cxrcore.training.run_recorder import STOP_FILE


def demo(json: Json = False) -> None:
    """Draw phantoms, train CXRTiny's head on them, and test it. No network, under a minute."""
    from cxrcore import demo as demonstration

    with terminal.progress() as listen:
        run, pointing = demonstration.demo(listen)
    value = summary(run) | {"pointing_game": pointing["value"], "pointing_game_ci95": pointing["ci95"]}
    text = f"{_text(run)}\nThe Grad-CAM peak lies inside a lesion in {terminal.percent(pointing)}."
    terminal.result(value, text, json)


def train(
    data: Annotated[str | None, typer.Option(help="Name of the dataset.")] = None,
    file: Annotated[
        Path | None, typer.Option("--config", help="A YAML file of a run, as `cxr report --config` writes it.")
    ] = None,
    preset: Annotated[str, typer.Option(help="studio, or tutorial: the tutorials' recipe to the letter.")] = "studio",
    backbone: Annotated[str | None, typer.Option(help="A key of the table of backbones; default: cxrtiny.")] = None,
    weights: Annotated[str | None, typer.Option(help="imagenet, bundled, file or random.")] = None,
    weights_file: Annotated[Path | None, typer.Option(help="A .weights.h5 file without a top.")] = None,
    size: Annotated[int | None, typer.Option(help="Input height and width in pixels.")] = None,
    tap: Annotated[str | None, typer.Option(help="Backbone layer whose output the head sees.")] = None,
    preprocessing: Annotated[str | None, typer.Option(help="native or unit.")] = None,
    cleaning: Annotated[
        str | None, typer.Option(help="only-lungs, crop, match, markers or equalise; default: none.")
    ] = None,
    head: Annotated[str | None, typer.Option(help="gap, tutorial, probe or hidden.")] = None,
    dropout: Annotated[float | None, typer.Option()] = None,
    optimizer: Annotated[str | None, typer.Option(help="adam, adamw or sgd (momentum 0.9).")] = None,
    learning_rate: Annotated[float | None, typer.Option()] = None,
    schedule: Annotated[str | None, typer.Option(help="plateau, cosine or constant.")] = None,
    label_smoothing: Annotated[float | None, typer.Option()] = None,
    l2: Annotated[float | None, typer.Option(help="Penalty on the head's kernels.")] = None,
    class_weights: Annotated[bool | None, typer.Option(help="Every class counts alike.")] = None,
    batch_size: Annotated[int | None, typer.Option()] = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    early_stopping: Annotated[int | None, typer.Option(help="Epochs without improvement; 0 for never.")] = None,
    split: Annotated[
        str | None, typer.Option(help="patient, tutorial (at random, by image) or given (by the source).")
    ] = None,
    split_seed: Annotated[int | None, typer.Option(help="Of the split.")] = None,
    folds: Annotated[int | None, typer.Option(help="Test with each of so many folds, whole patients each.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Train and test on so many splits of other seeds.")] = None,
    views: Annotated[int | None, typer.Option(help="Augmented views a training image.")] = None,
    tune: Annotated[bool, typer.Option("--tune", help="Then let the backbone's upper layers learn too.")] = False,
    tune_after: Annotated[
        str | None, typer.Option(help="The tap behind which they do; default: the one before.")
    ] = None,
    tune_rate: Annotated[float | None, typer.Option(help="Learning rate of the tuning.")] = None,
    tune_epochs: Annotated[int | None, typer.Option(help="Epochs of the tuning.")] = None,
    tensorboard: Annotated[bool | None, typer.Option(help="Also write TensorBoard's event files.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting, for example augment.rotation=5.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the head's start and the batch order.")] = None,
    json: Json = False,
) -> None:
    """Train on a dataset, test and explain; Ctrl-C stops and keeps the best epoch so far."""
    given: dict[str, Any] = {
        "backbone": backbone, "weights": weights, "size": size, "tap": tap, "head": head,
        "weights_file": weights_file, "preprocessing": preprocessing, "cleaning": cleaning,
        "optimizer": optimizer, "schedule": schedule, "label_smoothing": label_smoothing, "l2": l2,
        "class_weights": class_weights, "dropout": dropout,
        "learning_rate": learning_rate, "batch_size": batch_size, "epochs": epochs, "seed": seed,
        "early_stopping": early_stopping, "tensorboard": tensorboard,
    }  # fmt: skip
    if folds and repeats:
        raise UserError("Choose --folds or --repeats, not both.")
    if rounds := folds or repeats:
        given["design"] = {"kind": "kfold" if folds else "repeated", "rounds": rounds}
    if views:
        given["augment"] = {"views": views}
    tuned = {"after": tune_after, "learning_rate": tune_rate, "epochs": tune_epochs}
    if tune or any(value is not None for value in tuned.values()):
        given["tune"] = {name: value for name, value in tuned.items() if value is not None}
    if parts := {name: value for name, value in (("kind", split), ("seed", split_seed)) if value is not None}:
        given["split"] = parts
    if weights_file and weights is None:
        given["weights"] = "file"
    for text in set_ or []:
        _set(given, text)
    made = chosen(preset, file, {"dataset": data} | given)
    pipeline.check(made)
    run = runs.create(made.model_dump(mode="json"))
    with terminal.progress() as listen, interrupt_stops(run):
        pipeline.run(made, run.folder, listen)
    report(run, json)


def _set(given: dict[str, Any], text: str) -> None:
    """Put `section.name=value` into `given`; the value is read as YAML."""
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError("--set: expected name=value. Received: {text}", text=text)
    *sections, last = name.split(".")
    for section in sections:
        given = given.setdefault(section, {})
    given[last] = yaml.safe_load(value)


def report(run: Run, json: bool) -> None:
    """Print what came of a run."""
    if run.metrics is None:
        terminal.result({"run": run.name, "state": run.status["state"]}, run.status["message"], json)
    else:
        terminal.result(summary(run), _text(run), json)


def chosen(preset: str, file: Path | None, given: dict[str, Any]) -> run_config.RunConfig:
    """Return the config of a file, or of a preset, with what was given on the command line over it."""
    values = run_config.read(file) if file else {}
    given = {name: value for name, value in given.items() if value is not None}
    if "split" in given and isinstance(values.get("split"), dict):
        given["split"] = values["split"] | given["split"]
    values |= given
    if "dataset" not in values:
        raise UserError("Name a dataset with --data, or a file with --config.")
    return run_config.make(preset, **values)


def summary(run: Run) -> dict[str, Any]:
    """Return what `--json` prints of a run."""
    metrics = run.metrics
    assert metrics is not None
    return {
        "run": run.name,
        "state": run.status["state"],
        "backbone": run.config["backbone"],
        "n_train": metrics["n_train"],
        "n_val": metrics["n_validation"],
        "n_test": metrics["n_test"],
        "accuracy": metrics["accuracy"]["value"],
        "accuracy_ci95": metrics["accuracy"]["ci95"],
        "seconds": metrics["seconds"],
    } | ({"rounds": run.rounds} if run.rounds else {})


def _text(run: Run) -> str:
    metrics = run.metrics
    assert metrics is not None
    text = (
        f"Run {run.name} ({run.status['state']}), {metrics['seconds']['total']:.0f} s.\n"
        f"Test accuracy {terminal.percent(metrics['accuracy'])}."
    )
    if rounds := run.rounds:
        text += f"\nMean of {len(rounds['done'])} rounds: {terminal.share(rounds['mean']['accuracy'])}."
    return text


@contextmanager
def interrupt_stops(run: Run) -> Iterator[None]:
    """Make the first Ctrl-C ask the run to stop; a second one interrupts as usual."""

    def ask(number: int, frame: Any) -> None:
        (run.folder / STOP_FILE).touch()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
