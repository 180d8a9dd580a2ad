"""`cxr data`: import, list, audit and edit datasets."""

from pathlib import Path
from typing import Annotated

import typer

from cxrcore.cli import terminal
from cxrcore.data import dataset, editing, importing
from cxrcore.data.download import PUBLIC, fetch
from cxrcore.errors import UserError

app = typer.Typer(no_args_is_help=True, help="Import, audit, edit and list datasets.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Name = Annotated[str, typer.Argument(help="Name of the dataset.")]


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Folders, ZIPs or CSVs, in any known layout.")],
    name: Annotated[str, typer.Option(help="Name of the dataset.")] = "mydata",
    limit: Annotated[str, typer.Option(help="Most images of a class, e.g. COVID=175,NORMAL=100.")] = "",
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="Finding to class, e.g. 'SARS=OTHER INFECTION'.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Column of a CSV by role, e.g. path=Image; roles as in the README.")
    ] = None,
    replace: Annotated[bool, typer.Option(help="Replace a dataset of this name.")] = False,
    json: Json = False,
) -> None:
    """Merge images into one dataset. Those in folders stay where they are. Run again, it goes on where it was."""
    choices = importing.Choices(
        mapping=dict(_pair(text, "--map", "FINDING=CLASS") for text in map_ or []),
        limits=dict(_limit(text) for text in limit.split(",") if text),
        columns=dict(_pair(text, "--column", "ROLE=COLUMN") for text in column or []),
    )
    with terminal.progress() as listen:
        data = importing.import_folders(
            paths, name, choices, lambda done, total: listen("images", done, total), replace
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
    value = {"datasets": [{"name": data.name, "classes": data.counts(), "version": data.version} for data in found]}
    lines = [f"{data.name}, version {data.version}: {data.counts()}" for data in found]
    terminal.result(value, "\n".join(lines) or "No dataset yet: `cxr data import PATH`, or `cxr demo`.", json)


@app.command()
def download(
    key: Annotated[str, typer.Argument(metavar="SET", help=f"One of {', '.join(PUBLIC)}.")], json: Json = False
) -> None:
    """Fetch a public set once, with its licence; interrupted, it goes on. Then import the file."""
    if key in PUBLIC and not json:
        print(f"{PUBLIC[key].title}. Licence: {PUBLIC[key].licence}. {PUBLIC[key].citation}")
    with terminal.progress() as listen:
        path = fetch(key, lambda done, total: listen("bytes", done, total))
    value = {"set": key, "path": str(path), "licence": PUBLIC[key].licence, "citation": PUBLIC[key].citation}
    terminal.result(value, f"{path}\nNext: cxr data import {path}", json)


@app.command()
def audit(
    name: Name,
    exclude: Annotated[
        str,
        typer.Option(
            help="Exclude what settles a kind of finding, e.g. near-duplicate or outlier:inverted; a new version."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Say what could mislead a model: duplicates, confounding, leaks between parts, outliers."""
    from cxrcore.audits.dataset import audit as audits

    data = dataset.load(name)
    with terminal.progress() as listen:
        report = audits.run(data, listen)
    lines = [f"{finding['kind']}: {finding['sentence']}" for finding in report["findings"]]
    lines += [f"Class {label} has {count} patients only." for label, count in report["small_classes"].items()]
    lines += [f"{report['gone']} images are no longer where they were."] if report["gone"] else []
    if probed := report["source_probe"]:
        low, high = probed["ci95"]
        lines.append(
            f"Source probe: 20 trivial image statistics tell the class in {probed['accuracy']:.0%} "
            f"(95 % interval {low:.0%} to {high:.0%}; chance {probed['chance']:.0%})."
        )
    if exclude:
        changed = audits.exclude(data, report, exclude)
        report["new_version"] = changed.version
        lines.append(f"Version {changed.version} of {name} has {len(changed.usable)} images in use.")
    terminal.result(report, "\n".join(lines), json)


@app.command()
def undo(name: Name, json: Json = False) -> None:
    """Take back the last edit of a dataset."""
    data = editing.undo(name)
    value = {"dataset": name, "version": data.version, "classes": data.counts()}
    terminal.result(value, f"Version {data.version} of {name}: {data.counts()}", json)


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UserError("{option}: expected {form}. Received: {received!r}", option=option, form=form, received=text)
    return name.strip(), value.strip()


def _limit(text: str) -> tuple[str, int]:
    name, count = _pair(text, "--limit", "CLASS=NUMBER")
    if not count.isdecimal():
        raise UserError("--limit: expected CLASS=NUMBER. Received: {received!r}", received=text)
    return name, int(count)
