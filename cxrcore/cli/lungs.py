"""`cxr lungs`: the lungs of images as mask files."""

from pathlib import Path
from typing import Annotated

import typer

from cxrcore.cli import terminal
from cxrcore.cli.options import Json
from cxrcore.progress import of_stage


def lungs(
    paths: Annotated[list[Path], typer.Argument(help="Images, folders with images, or ZIPs.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the masks, which may be new.", show_default=False)],
    json: Json = False,
) -> None:
    """Find the lungs of images, and write them as one-bit PNGs named after the images, with a table lungs.csv."""
    from cxrcore.features import lung_files

    with terminal.progress() as bar:
        found = lung_files.write(paths, out, of_stage(bar, "finding the lungs"))
    count = len(found.table)
    value = {"images": count, "masks": found.masks, "accepted": found.accepted, "folder": str(out)}
    text = f"Masks of {found.masks} of {count} images in {out}; {found.accepted} of them passed the check."
    terminal.result(value, text, json)
