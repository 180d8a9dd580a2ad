"""`cxr runs pause`, `resume`, `stop`, `continue`, `describe`, `delete`, `trash` and `restore`."""

from typing import Annotated

import typer

from cxrcore import runs
from cxrcore.cli import terminal, train
from cxrcore.cli.options import Json, RunName
from cxrcore.jobs import control, queue
from cxrcore.training import pipeline


def add(app: typer.Typer) -> None:
    """Add these commands to `cxr runs`."""
    for command in (pause, resume, stop, describe, delete, trash, restore):
        app.command()(command)
    app.command("continue")(continue_)


def pause(run: RunName, json: Json = False) -> None:
    """Pause a run before its next batch or epoch."""
    chosen = runs.load(run)
    control.pause(chosen)
    _confirm(chosen, "pauses", json)


def resume(run: RunName, json: Json = False) -> None:
    """Resume a paused run."""
    chosen = runs.load(run)
    control.resume(chosen)
    _confirm(chosen, "resumes", json)


def stop(run: RunName, json: Json = False) -> None:
    """Stop a run; it keeps its best epoch so far."""
    chosen = runs.load(run)
    queue.stop(chosen)
    _confirm(chosen, "has stopped", json)


def continue_(
    run: RunName,
    epochs: Annotated[int, typer.Option(min=0, help="Epochs in addition to those planned.")] = 0,
    json: Json = False,
) -> None:
    """Continue the training of a run that has ended, from its last epoch; Ctrl-C stops it again."""
    chosen = runs.load(run)
    config = control.prepare_to_continue(chosen, epochs)
    with terminal.progress() as progress, train.stop_on_interrupt(chosen):
        pipeline.run(config, chosen.folder, progress)
    train.report(chosen, json)


def describe(
    run: RunName,
    title: Annotated[str | None, typer.Option(help="Its title on the pages.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; all tags are replaced.")] = None,
    note: Annotated[str | None, typer.Option(help="A note.")] = None,
    json: Json = False,
) -> None:
    """Give a run a title, tags or a note."""
    chosen = runs.load(run)
    given = {"title": title, "tags": tag, "note": note}
    chosen.describe(**{name: value for name, value in given.items() if value is not None})
    card = chosen.card
    text = f"{chosen.name}: {card.title} {card.tags} {card.note}"
    terminal.result({"run": chosen.name} | card.plain(), text, json)


def delete(run: RunName, json: Json = False) -> None:
    """Move a run to the trash, where it stays for a week."""
    chosen = runs.load(run)
    control.delete(chosen)
    _confirm(chosen, f"is in the trash; `cxr runs restore {chosen.name}` restores it", json)


def trash(json: Json = False) -> None:
    """List the runs in the trash."""
    names = [run.name for run in runs.discarded()]
    terminal.result({"runs": names}, "\n".join(names) or "The trash is empty.", json)


def restore(name: Annotated[str, typer.Argument(metavar="RUN", help="Its whole name.")], json: Json = False) -> None:
    """Restore a run from the trash."""
    _confirm(runs.restore(name), "is restored", json)


def _confirm(run: runs.Run, what: str, json: bool) -> None:
    terminal.result({"run": run.name, "done": what}, f"Run {run.name} {what}.", json)
