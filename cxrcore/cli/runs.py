"""`cxr runs`, and what is computed of a run: `evaluate`, `explain`, `faithfulness`, `shortcut`, `learning-curve`."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cxrcore import runs
from cxrcore.cli import terminal
from cxrcore.cli.options import Json, RunName
from cxrcore.data.errors import ImageError
from cxrcore.data.images import png
from cxrcore.errors import UserError
from cxrcore.files import write_bytes
from cxrcore.jobs import queue
from cxrcore.messages import msg
from cxrcore.metric import ClassificationMetrics, Metric
from cxrcore.progress import by_stage, of_stage
from cxrcore.schema import to_plain

app = typer.Typer(no_args_is_help=True, help="List and control runs.")


@app.command("list")
def list_(json: Json = False) -> None:
    """List the runs, newest first, and run folders that are damaged."""
    from cxrcore.evaluation import verdict

    queue.dispatch()  # marks workers that died, and starts waiting runs
    rows, lines = [], []
    for run in runs.listing():
        title = run.title
        accuracy, averaged = run.headline, run.averaged
        row: dict[str, Any] = {"run": run.name, "title": title, "state": run.status.state}
        of = str(averaged.label) if averaged else "test images"
        judged = verdict.of_run(run)
        row |= {"accuracy": to_plain(accuracy) if accuracy else None, "accuracy_of": of}
        rows.append(row | {"verdict": judged.plain() if judged else None})
        problem = str(judged.title) if judged and judged.findings else ""
        words = [run.name, title, run.status.state, terminal.headline(run) if accuracy else "", problem]
        lines.append("  ".join(filter(None, words)))
    damaged = {run.name: str(run.message) for run in runs.damaged()}
    lines += [f"{name}  damaged: {reason}" for name, reason in damaged.items()]
    text = "\n".join(lines) or "No run yet: `cxr demo`, or `cxr train --data NAME`."
    terminal.result({"runs": rows, "damaged": damaged}, text, json)


@app.command("show")
def show(run: RunName, json: Json = False) -> None:
    """Mark a run as shown in read-only mode (CXR_READ_ONLY=1)."""
    _mark(run, True, json)


@app.command("hide")
def hide(run: RunName, json: Json = False) -> None:
    """Remove the mark that shows a run in read-only mode."""
    _mark(run, False, json)


@app.command("export")
def export(
    run: RunName,
    out: Annotated[Path, typer.Option(metavar="FILE.zip", help="New file.")],
    json: Json = False,
) -> None:
    """Write a finished run as a ZIP file without pictures and names, for `cxr runs import` on another machine."""
    from cxrcore.sharing import archives

    chosen = runs.load(run)
    archives.export(chosen, out)
    terminal.result({"run": chosen.name, "file": str(out)}, f"{out}: run {chosen.name}.", json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="What `cxr runs export` wrote.")], json: Json = False
) -> None:
    """Add a run from elsewhere. It is refused unless everything in the file is what this program writes."""
    from cxrcore.sharing import archives

    added = archives.import_run(file)
    terminal.result({"run": added.name}, f"Run {added.name} was added; its images are not on this machine.", json)


def _mark(name: str, shown: bool, json: bool) -> None:
    chosen = runs.load(name)
    chosen.show(shown)
    text = f"Run {chosen.name} is {'shown' if shown else 'not shown'} where the dashboard is read-only."
    terminal.result({"run": chosen.name, "shown": shown}, text, json)


def evaluate(
    run: RunName,
    data: Annotated[str, typer.Option(help="Another dataset to test on; default: the run's own test images.")] = "",
    include_duplicates: Annotated[
        bool, typer.Option("--include-duplicates", help="Also test images that the run has, or copies of them.")
    ] = False,
    json: Json = False,
) -> None:
    """Test the saved model on raw images: on the run's test images, or on another dataset (external validation)."""
    chosen = runs.load(run)
    if data:
        _external(chosen, data, include_duplicates, json)
        return
    from cxrcore.evaluation import saved_model
    from cxrcore.evaluation.metrics import probability_columns
    from cxrcore.features.extract import ExtractionCallbacks

    with terminal.progress() as progress:
        table, metrics = saved_model.evaluate(chosen, ExtractionCallbacks(of_stage(progress, "predicting")))
    columns = probability_columns(metrics.classes)
    difference = float(np.abs(table[columns].to_numpy() - chosen.predictions("test")[columns].to_numpy()).max())
    lines = [f"Test accuracy {terminal.proportion(metrics.accuracy)}.", *_by_class(metrics, chosen.positive)]
    lines.append(f"Largest difference from the stored probabilities: {difference:.1e}.")
    value = {"run": chosen.name, "largest_difference": difference} | to_plain(metrics)
    terminal.result(value, "\n".join(lines), json)


def _external(chosen: runs.Run, data: str, include_duplicates: bool, json: bool) -> None:
    from cxrcore.evaluation import external

    with terminal.progress() as progress:
        found = external.evaluate(chosen, data, progress, include_duplicates)
    lines = [*map(str, [found.sentence, *found.checks]), *_by_class(found.metrics, chosen.positive)]
    if found.unknown_classes:
        lines.append(f"Not tested, as the run does not know them: {', '.join(found.unknown_classes)}.")
    value = {"run": chosen.name} | found.plain() | {"sentence": str(found.sentence)}
    terminal.result(value, "\n".join(lines), json)


def _by_class(metrics: ClassificationMetrics, positive: str) -> list[str]:
    if not positive:
        return [f"  {name}: sensitivity {terminal.proportion(row.recall)}" for name, row in metrics.by_class.items()]
    row = metrics.by_class[positive]
    values = {"sensitivity": row.recall, "specificity": row.specificity, "PPV": row.precision, "NPV": row.npv}
    return [f"  {positive}: {title} {terminal.proportion(metric)}" for title, metric in values.items()]


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
    _ = chosen.results  # raises before anything is written
    written: list[str] = []
    refused: dict[str, str] = {}
    with terminal.progress() as progress:
        tests = [Path(path) for path in chosen.predictions("test")["path"]]
        total = len(images or tests)
        if method == "grad-cam" and not images:
            drawn = rendering.test_images(chosen, opacity)
        else:
            drawn = rendering.image_files(chosen, images or tests, opacity, method)
        for done, (path, picture) in enumerate(drawn, 1):
            progress("drawing", done, total)
            if isinstance(picture, ImageError):
                refused[str(path)] = str(picture)
                continue
            target = out / f"{done:04d}_{path.stem}.png"
            write_bytes(target, png(picture))
            written.append(str(target))
    if not written:
        raise UserError("{reasons}", reasons="; ".join(f"{path}: {reason}" for path, reason in refused.items()))
    lines = [f"{len(written)} pictures in {out}.", *(f"{path}: {reason}" for path, reason in refused.items())]
    terminal.result({"run": chosen.name, "files": written, "refused": refused}, "\n".join(lines), json)


def faithfulness(
    run: RunName,
    method: Annotated[list[str] | None, typer.Option(help="Methods to test; default: all gradient methods.")] = None,
    json: Json = False,
) -> None:
    """Test the faithfulness of a run's heatmaps: every method, on its test images."""
    from cxrcore.explain import faithfulness as checks
    from cxrcore.explain import methods
    from cxrcore.explain.faithfulness_summary import lesion_sentence

    chosen = runs.load(run)
    for name in method or []:
        methods.get(name)
    with terminal.progress() as progress:
        found = checks.measure(chosen, method or methods.GRADIENT_METHODS, by_stage(progress))
    columns = ["deletion", "insertion", "random_weights", "stability", "in_lungs"]
    lines = ["  ".join(["method".ljust(22), *columns])]
    for name, row in found.methods.items():
        cells = [_cell(getattr(row, column)).ljust(len(column)) for column in columns]
        lines.append("  ".join([name.ljust(22), *cells]))
    for name, row in found.methods.items():
        if row.lesions:
            title = msg(methods.get(name).title)
            lines.append(str(lesion_sentence(title, row.lesions, found.random_point, found.lung_centres)))
    flaws = " ".join(map(str, found.flaws[found.worst]))
    lines.append(f"Least faithful: {methods.get(found.worst).title}. {flaws}")
    value = {"run": chosen.name} | found.plain()
    value["flaws"] = {name: [str(flaw) for flaw in flaws] for name, flaws in found.flaws.items()}
    terminal.result(value, "\n".join(lines), json)


def _cell(metric: Metric | None) -> str:
    return "-" if metric is None or metric.value is None else f"{metric.value:.2f}"


def learning_curve(run: RunName, json: Json = False) -> None:
    """Compute the learning curve of a run, and how many test patients a precise result needs."""
    from cxrcore.audits import learning_curve as curves
    from cxrcore.evaluation import reported, sample_size

    chosen = runs.load(run)
    table = reported.load(chosen).table
    needed = sample_size.needed(table, chosen.classes, chosen.positive)
    with terminal.progress() as progress:
        found = curves.compute(chosen, progress)
    lines = [f"{point.patients} training patients: {terminal.share(point.accuracy)}" for point in found.points]
    sentences = [curves.sentence(found), *sample_size.sentences(needed, table["patient"].nunique())]
    value = {"run": chosen.name} | found.plain() | {"sentence": str(sentences[0]), "sample_size": to_plain(needed)}
    terminal.result(value, "\n".join([*lines, *map(str, sentences)]), json)


def shortcut(
    run: RunName,
    mitigations: Annotated[bool, typer.Option("--mitigations", help="Also measure the mitigations.")] = False,
    json: Json = False,
) -> None:
    """Audit a run for shortcuts: can the class be predicted from the border alone, and can the source be predicted?"""
    from cxrcore.audits import mitigations as mitigation_audit
    from cxrcore.audits import shortcut as shortcut_audit

    chosen = runs.load(run)
    with terminal.progress() as progress:
        found = shortcut_audit.audit(chosen, by_stage(progress))
        measured = mitigation_audit.compare(chosen, by_stage(progress)) if mitigations else None
    rows: dict[str, Metric | None] = {"whole image": found.full}
    rows |= {f"border of {width} pixels, backbone": metric for width, metric in found.border.items()}
    rows |= {f"border of {width} pixels, plain pixels": metric for width, metric in found.border_pixels.items()}
    if found.lungs:
        rows |= {"only the lungs": found.lungs.only, "all but the lungs": found.lungs.without}
    rows |= {"source": found.source}
    value: dict[str, Any] = {"run": chosen.name} | found.plain() | {"sentence": str(found.sentence)}
    if measured:
        for name, row in measured.transforms.items():
            rows[f"{name or 'no transform'}, border of {measured.width} pixels"] = row.border
        value["mitigations"] = measured.plain()
    lines = [f"{name}: {terminal.share(metric)}" for name, metric in rows.items() if metric]
    lines += [f"chance: {found.chance:.1%}", str(found.sentence)]
    terminal.result(value, "\n".join(lines), json)
