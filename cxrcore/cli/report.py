"""`cxr report`: a run as files to take away."""

from pathlib import Path
from typing import Annotated

import typer

from cxrcore import i18n, runs
from cxrcore.cli import terminal
from cxrcore.cli.data import Json
from cxrcore.cli.runs import RunName
from cxrcore.errors import UserError
from cxrcore.files import write_bytes

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
    zip_: Annotated[Path | None, typer.Option("--zip", metavar="FILE", help="All of the others in one.")] = None,
    a_page: Annotated[int, typer.Option(min=1, max=400, help="Images on a page of the PDF; the tutorials: 75.")] = 30,
    lang: Annotated[str, typer.Option(help="Of report, PDF and card: en or pt.")] = "en",
    json: Json = False,
) -> None:
    """Write a report, the grid as PDF, a model card, predictions, the config or the model itself."""
    from cxrcore.reports import artifacts, prediction_grid
    from cxrcore.reports.run_summary import RunSummary

    if lang not in i18n.LANGUAGES:
        raise UserError(
            "--lang: expected one of {expected}. Received: {received!r}",
            expected=", ".join(i18n.LANGUAGES), received=lang,
        )  # fmt: skip
    wanted = {"html": html, "pdf": pdf, "card": card, "csv": csv, "config": config, "keras": keras, "tflite": tflite}
    files = {key: path for key, path in wanted.items() if path}
    if not files and not zip_:
        raise UserError("Say what to write, for example --html report.html or --zip run.zip.")
    facts = RunSummary(runs.load(run))
    i18n.use(lang)
    with terminal.progress() as listen:
        for key, path in files.items():
            part = artifacts.ARTIFACTS[key]
            move = lambda done, total, title=part.title: listen(title, done, total)  # noqa: E731
            content = prediction_grid.render(facts, a_page, move) if key == "pdf" else part.make(facts, move)
            write_bytes(path, content)
        if zip_:
            write_bytes(zip_, artifacts.everything(facts, listen))
    written = [str(path) for path in (*files.values(), *([zip_] if zip_ else []))]
    terminal.result({"run": facts.run.name, "files": written}, "Wrote " + ", ".join(written) + ".", json)
