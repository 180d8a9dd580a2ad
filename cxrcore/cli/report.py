"""`cxr report`: files made from a run."""

from pathlib import Path
from typing import Annotated

import typer

from cxrcore import i18n, runs
from cxrcore.cli import terminal
from cxrcore.cli.options import Json, RunName
from cxrcore.errors import UserError
from cxrcore.files import write_bytes
from cxrcore.progress import of_stage

To = Annotated[Path | None, typer.Option(metavar="FILE")]


def report(
    run: RunName,
    html: To = None,
    pdf: To = None,
    card: To = None,
    csv: To = None,
    config: To = None,
    keras: To = None,
    tflite: To = None,
    zip_: Annotated[Path | None, typer.Option("--zip", metavar="FILE", help="All files in one ZIP.")] = None,
    per_page: Annotated[int, typer.Option(min=1, max=400, help="Images per page of the PDF (tutorials: 75).")] = 30,
    lang: Annotated[str, typer.Option(help="Language of report, PDF and card: en or pt.")] = "en",
    json: Json = False,
) -> None:
    """Export the HTML report, the prediction grid, the model card, predictions, the config or the model."""
    from cxrcore.reports import artifacts, prediction_grid
    from cxrcore.reports.run_summary import RunSummary

    if lang not in i18n.LANGUAGES:
        expected = ", ".join(i18n.LANGUAGES)
        raise UserError("--lang: expected one of {expected}. Received: {received!r}", expected=expected, received=lang)
    wanted = {"html": html, "pdf": pdf, "card": card, "csv": csv, "config": config, "keras": keras, "tflite": tflite}
    files = {key: path for key, path in wanted.items() if path}
    if not files and not zip_:
        raise UserError("Choose a file to write, for example --html report.html or --zip run.zip.")
    summary = RunSummary(runs.load(run))
    i18n.use(lang)
    with terminal.progress() as progress:
        for key, path in files.items():
            artifact = artifacts.ARTIFACTS[key]
            move = of_stage(progress, artifact.title)
            content = prediction_grid.render(summary, per_page, move) if key == "pdf" else artifact.make(summary, move)
            write_bytes(path, content)
        if zip_:
            write_bytes(zip_, artifacts.zip_all(summary, progress))
    written = [str(path) for path in (*files.values(), *([zip_] if zip_ else []))]
    terminal.result({"run": summary.run.name, "files": written}, "Wrote " + ", ".join(written) + ".", json)
