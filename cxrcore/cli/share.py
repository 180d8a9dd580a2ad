"""`cxr share`: a folder that serves chosen runs to others."""

from pathlib import Path
from typing import Annotated

import typer

from cxrcore import runs
from cxrcore.cli import terminal
from cxrcore.cli.dashboard import entry_script
from cxrcore.cli.options import Json


def share(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Names of finished runs, or their first letters.")
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="New folder.")],
    json: Json = False,
) -> None:
    """Write a folder that serves runs read-only: with Docker, with nginx and systemd, or on a hosting service."""
    from cxrcore.sharing import folder

    chosen = list(dict.fromkeys(runs.load(name) for name in names))
    folder.write(chosen, out.expanduser().resolve(), entry_script())
    found = [run.name for run in chosen]
    terminal.result(
        {"folder": str(out), "runs": found}, f"{out}: {len(found)} run(s). README.md says how to serve them.", json
    )
