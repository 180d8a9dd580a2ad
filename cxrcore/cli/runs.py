"""`cxr runs`, `cxr evaluate` and `cxr explain`: what came of a training."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cxrcore import runs
from cxrcore.cli import terminal
from cxrcore.cli.data import Json
from cxrcore.data.images import ImageError, png
from cxrcore.errors import UserError
from cxrcore.files import write_bytes
from cxrcore.jobs import queue

app = typer.Typer(no_args_is_help=True, help="List the runs.")
RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name or its beginning, or `latest`.")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List the runs, newest first."""
    queue.dispatch()  # a worker that died is said to have, and whoever waits starts
    rows = []
    for run in runs.listing():
        metrics, status = run.metrics, run.status
        accuracy = metrics["accuracy"] if metrics else None
        rows.append({"run": run.name, "state": status["state"], "accuracy": accuracy})
    lines = [
        f"{row['run']}  {row['state']}" + (f"  {terminal.percent(row['accuracy'])}" if row["accuracy"] else "")
        for row in rows
    ]
    terminal.result({"runs": rows}, "\n".join(lines) or "No run yet: `cxr demo`, or `cxr train --data NAME`.", json)


@app.command("show")
def show(run: RunName, json: Json = False) -> None:
    """Show a run where the dashboard is read-only (CXR_READ_ONLY=1)."""
    _mark(run, True, json)


@app.command("hide")
def hide(run: RunName, json: Json = False) -> None:
    """Show a run no longer where the dashboard is read-only."""
    _mark(run, False, json)


def _mark(name: str, shown: bool, json: bool) -> None:
    chosen = runs.load(name)
    chosen.show(shown)
    text = f"Run {chosen.name} is {'shown' if shown else 'not shown'} where the dashboard is read-only."
    terminal.result({"run": chosen.name, "shown": shown}, text, json)


def evaluate(
    run: RunName,
    data: Annotated[str, typer.Option(help="Another dataset to test on; default: the run's own test images.")] = "",
    json: Json = False,
) -> None:
    """Test the saved model again, from raw pixels: on the run's test images, or on another dataset."""
    chosen = runs.load(run)
    if data:
        _external(chosen, data, json)
        return
    from cxrcore.evaluation import metrics as numbers
    from cxrcore.features.extract import Hooks
    from cxrcore.inference import predict

    with terminal.progress() as listen:
        hooks = Hooks(progress=lambda done, total: listen("predicting", done, total))
        table, metrics = predict.evaluate(chosen, hooks)
    columns = numbers.probability_columns(metrics["classes"])
    apart = float(np.abs(table[columns].to_numpy() - chosen.predictions("test")[columns].to_numpy()).max())
    value = {"run": chosen.name, "largest_difference": apart} | metrics
    lines = [f"Test accuracy {terminal.percent(metrics['accuracy'])}."]
    for name, row in metrics["by_class"].items():
        lines.append(f"  {name}: sensitivity {terminal.percent(row['recall'])}")
    lines.append(f"Largest difference from the stored probabilities: {apart:.1e}.")
    terminal.result(value, "\n".join(lines), json)


def _external(chosen: runs.Run, data: str, json: bool) -> None:
    from cxrcore.evaluation import external
    from cxrcore.features.extract import Hooks

    with terminal.progress() as listen:
        found = external.evaluate(chosen, data, Hooks(progress=lambda done, total: listen("predicting", done, total)))
    lines = [found["sentence"]]
    lines += [f"  {name}: sensitivity {terminal.percent(row['recall'])}" for name, row in found["by_class"].items()]
    lines += (
        [f"Not tested, as the run does not know them: {', '.join(found['unknown_classes'])}."]
        if found["unknown_classes"]
        else []
    )
    terminal.result({"run": chosen.name} | found, "\n".join(lines), json)


def explain(
    run: RunName,
    images: Annotated[list[Path] | None, typer.Argument(metavar="IMAGE", help="Default: all test images.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path("explanations"),
    opacity: Annotated[float, typer.Option(min=0, max=1)] = 0.5,
    method: Annotated[str, typer.Option(help="A method, for example `tutorial` or `layercam`.")] = "grad-cam",
    json: Json = False,
) -> None:
    """Write the heatmap of the predicted class over each image, under a banner with the label, as PNG."""
    from cxrcore.explain import rendering

    chosen = runs.load(run)
    _ = chosen.results  # said here, before anything is written
    written, refused = [], {}
    with terminal.progress() as listen:
        tests = [Path(path) for path in chosen.predictions("test")["path"]]
        total, kept = len(images or tests), method == "grad-cam" and not images
        drawn = (
            rendering.of_tests(chosen, opacity)
            if kept
            else rendering.of_files(chosen, images or tests, opacity, method)
        )
        for done, (path, picture) in enumerate(drawn, 1):
            listen("drawing", done, total)
            if isinstance(picture, ImageError):
                refused[str(path)] = str(picture)
                continue
            target = out / f"{done:04d}_{path.stem}.png"
            write_bytes(target, png(picture))
            written.append(str(target))
    if not written:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in refused.items())
        raise UserError(reasons)
    lines = [f"{len(written)} pictures in {out}.", *(f"{path}: {why}" for path, why in refused.items())]
    terminal.result({"run": chosen.name, "files": written, "refused": refused}, "\n".join(lines), json)


def faithfulness(
    run: RunName,
    method: Annotated[list[str] | None, typer.Option(help="Methods to measure; default: all quick ones.")] = None,
    json: Json = False,
) -> None:
    """Measure whether a run's heatmaps can be believed: every method, on its test images."""
    from cxrcore.explain import faithfulness as checks
    from cxrcore.explain import methods

    chosen = runs.load(run)
    for name in method or []:
        methods.get(name)
    with terminal.progress() as listen:
        found = checks.measure(chosen, method or methods.GRADIENT_METHODS, listen)
    columns = ["deletion", "insertion", "random_weights", "stability", "pointing", "in_lesions", "in_lungs"]
    lines = ["  ".join(["method".ljust(22), *columns])]
    for name, row in found["methods"].items():
        cells = [f"{row[column]['value']:.2f}" if row[column] else "-" for column in columns]
        padded = [cell.ljust(len(column)) for cell, column in zip(cells, columns, strict=True)]
        lines.append("  ".join([name.ljust(22), *padded]))
    worst = found["worst"]
    lines.append(f"Least to be believed: {methods.get(worst).title}. " + " ".join(found["flaws"][worst]))
    terminal.result({"run": chosen.name} | found, "\n".join(lines), json)


def shortcut(
    run: RunName,
    remedies: Annotated[bool, typer.Option("--remedies", help="Also measure what can be done against it.")] = False,
    json: Json = False,
) -> None:
    """Audit a run for shortcuts: can the class be told from the border alone, and can the source be told?"""
    from cxrcore.audits import mitigations as cleanings
    from cxrcore.audits import shortcut as shortcuts

    chosen = runs.load(run)
    with terminal.progress() as listen:
        found = shortcuts.audit(chosen, listen)
        found |= {"remedies": cleanings.compare(chosen, listen)} if remedies else {}
    rows = {"whole image": found["full"]}
    for key, means in (("border", "backbone"), ("border_pixels", "plain pixels")):
        rows |= {f"border of {width} pixels, {means}": part for width, part in found[key].items()}
    if found["lungs"]:
        rows |= {"only the lungs": found["lungs"]["only"], "all but the lungs": found["lungs"]["without"]}
    if found["source"]:
        rows["telling the source"] = found["source"]
    for name, row in found.get("remedies", {}).get("cleanings", {}).items():
        rows[f"{name or 'no cleaning'}, border of {found['remedies']['width']} pixels"] = row["border"]
    lines = [f"{name}: {part['accuracy']:.1%}" for name, part in rows.items()]
    lines.append(f"chance: {found['chance']:.1%}")
    terminal.result({"run": chosen.name} | found, "\n".join([*lines, found["sentence"]]), json)
