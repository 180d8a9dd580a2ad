"""`cxr demo` and `cxr train`."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from cxrcore import runs
from cxrcore.cli import terminal
from cxrcore.cli.options import ConfigFile, Data, Json, Overrides, Preset, make_config, with_settings
from cxrcore.runs import Run
from cxrcore.schema import to_plain
from cxrcore.training import pipeline
from cxrcore.training.run_recorder import STOP_FILE


def demo(json: Json = False) -> None:
    """Generate synthetic X-rays, train CXRTiny's head on them, and test it. No network, under a minute."""
    from cxrcore import demo as demonstration

    with terminal.progress() as progress:
        run, pointing = demonstration.demo(progress)
    text = f"{_text(run)}\nThe Grad-CAM peak lies inside a lesion in {terminal.proportion(pointing)}."
    terminal.result(summary(run) | {"pointing_game": to_plain(pointing)}, text, json)


@with_settings()
def train(
    data: Data = None,
    file: ConfigFile = None,
    preset: Preset = "recommended",
    set_: Overrides = None,
    json: Json = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Train on a dataset, test and explain; Ctrl-C stops and keeps the best epoch so far."""
    config = make_config(preset, file, data, settings, set_ or [])
    pipeline.check(config)
    run = runs.create(config)
    with terminal.progress() as progress, stop_on_interrupt(run):
        pipeline.run(config, run.folder, progress)
    report(run, json)


def report(run: Run, json: bool) -> None:
    """Print the result of a run."""
    if run.metrics is None:
        status = run.status
        terminal.result({"run": run.name, "state": status.state}, str(status.message), json)
    else:
        terminal.result(summary(run), _text(run), json)


def summary(run: Run) -> dict[str, Any]:
    """Return what `--json` prints of a run."""
    from cxrcore.evaluation import calibration, verdict

    results, averaged = run.results, run.averaged
    accuracy = run.headline or results.test.accuracy
    found = {
        "run": run.name,
        "state": run.status.state,
        "backbone": run.config.backbone,
        "n_train": results.n_train,
        "n_val": results.n_validation,
        "n_test": results.n_test,
        "accuracy": accuracy.value,
        "accuracy_ci95": [accuracy.low, accuracy.high],
        "accuracy_of": str(averaged.label) if averaged else "test images",
        "seconds": results.seconds,
    }
    if judged := verdict.of_run(run):
        found["verdict"] = judged.plain()
    if effect := calibration.of_run(run):
        found["calibration"] = to_plain(effect)
    return found | ({"resampling": run.resampling.plain()} if run.resampling else {})


def _text(run: Run) -> str:
    from cxrcore.evaluation import verdict

    results = run.results
    text = (
        f"Run {run.name} ({run.status.state}), {results.seconds['total']:.0f} s.\n"
        f"Test accuracy {terminal.headline(run)}."
    )
    if run.averaged:
        text += f"\nThe first, whose model is saved: {terminal.proportion(results.test.accuracy)}."
    if judged := verdict.of_run(run):
        text += f"\n{terminal.verdict(judged)}"
    return text


@contextmanager
def stop_on_interrupt(run: Run) -> Iterator[None]:
    """Make the first Ctrl-C ask the run to stop; a second one interrupts as usual."""

    def stop(number: int, frame: FrameType | None) -> None:
        (run.folder / STOP_FILE).touch()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
