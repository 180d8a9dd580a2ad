"""`cxr data`: import and list datasets."""

from pathlib import Path
from typing import Annotated

import typer

from cxrcore.cli import terminal
from cxrcore.data import dataset, importing
from cxrcore.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Import and list datasets.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Folders with images, in any known layout.")],
    name: Annotated[str, typer.Option(help="Name of the dataset.")] = "mydata",
    limit: Annotated[str, typer.Option(help="Most images of a class, e.g. COVID=175,NORMAL=100.")] = "",
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="Finding to class, e.g. 'SARS=OTHER INFECTION'.")
    ] = None,
    replace: Annotated[bool, typer.Option(help="Replace a dataset of this name.")] = False,
    json: Json = False,
) -> None:
    """Merge folders of images into one dataset. The images stay where they are."""
    mapping = dict(_pair(text, "--map", "FINDING=CLASS") for text in map_ or [])
    limits = dict(_limit(text) for text in limit.split(",") if text)
    with terminal.progress() as listen:
        data = importing.import_folders(
            paths, name, mapping, limits, lambda done, total: listen("images", done, total), replace
        )
    left_out = data.left_out
    missing = [Path(path).name for path in left_out["path"][left_out["left_out"].str.startswith("missing")]]
    unreadable = left_out[left_out["left_out"].str.startswith("unreadable")]
    lines = [f"Dataset {name}: " + ", ".join(f"{count} {label}" for label, count in data.counts().items())]
    lines += [f"Left out by {kind}: {count}" for kind, count in data.left_out_counts().items()]
    lines += [f"Missing: {file}" for file in missing]
    lines += [f"{row.path}: {row.left_out}" for row in unreadable.itertuples()]
    value = {
        "dataset": name,
        "classes": data.counts(),
        "left_out": data.left_out_counts(),
        "missing": missing,
        "unreadable": dict(zip(unreadable["path"], unreadable["left_out"], strict=True)),
    }
    terminal.result(value, "\n".join(lines), json)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the datasets."""
    found = [dataset.load(name) for name in dataset.names()]
    value = {"datasets": [{"name": data.name, "classes": data.counts()} for data in found]}
    lines = [f"{data.name}: {data.counts()}" for data in found]
    terminal.result(value, "\n".join(lines) or "No dataset yet: `cxr data import PATH`, or `cxr demo`.", json)


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UserError(f"{option}: expected {form}. Received: {text!r}")
    return name.strip(), value.strip()


def _limit(text: str) -> tuple[str, int]:
    name, count = _pair(text, "--limit", "CLASS=NUMBER")
    if not count.isdecimal():
        raise UserError(f"--limit: expected CLASS=NUMBER. Received: {text!r}")
    return name, int(count)
