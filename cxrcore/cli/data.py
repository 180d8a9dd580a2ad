"""`cxr data`: import, list, audit and edit datasets."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cxrcore.cli import terminal
from cxrcore.data import dataset, editing, exclusions, importing, mapping
from cxrcore.data.download import PUBLIC, fetch
from cxrcore.errors import UserError
from cxrcore.figures.formatting import with_interval
from cxrcore.progress import of_stage

app = typer.Typer(no_args_is_help=True, help="Import, audit, edit and list datasets.")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line.")]
Name = Annotated[str, typer.Argument(help="Name of the dataset.")]


@app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(help="Folders, ZIPs or CSVs, in any known layout.")],
    name: Annotated[str, typer.Option(help="Name of the dataset.")] = "mydata",
    limit: Annotated[str, typer.Option(help="Largest number of images of a class, e.g. COVID=175,NORMAL=100.")] = "",
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="Finding to class, e.g. 'SARS=OTHER INFECTION'.")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option(help="Finding that is a class of its name; all that are not named are left out.")
    ] = None,
    leave_out: Annotated[list[str] | None, typer.Option(help="Finding whose images are left out.")] = None,
    uncertain: Annotated[
        mapping.Uncertain, typer.Option(help="What a finding that the source marks as uncertain counts as.")
    ] = "left out",
    column: Annotated[
        list[str] | None, typer.Option(help="Column of a CSV by role, e.g. path=Image; roles as in the README.")
    ] = None,
    one_class: Annotated[
        bool, typer.Option("--one-class", help="Accept a set of one class: runs are tested on it, not trained.")
    ] = False,
    replace: Annotated[bool, typer.Option(help="Replace a dataset of this name.")] = False,
    json: Json = False,
) -> None:
    """Merge images into one dataset. Images in folders stay where they are. An interrupted import can be continued."""
    options = importing.ImportOptions(
        mapping.Choices(
            _distinct([_pair(text, "--map", "FINDING=CLASS") for text in map_ or []]),
            keep or (),
            leave_out or (),
            uncertain,
        ),
        limits=dict(_limit(text) for text in limit.split(",") if text),
        columns=dict(_pair(text, "--column", "ROLE=COLUMN") for text in column or []),
        one_class=one_class,
    )
    with terminal.progress() as progress:
        data = importing.import_folders(paths, name, options, of_stage(progress, "images"), replace)
    left_out = data.left_out
    missing = [Path(path).name for path in left_out["path"][left_out["left_out"] == "missing"]]
    masks = {kind: int((data.usable[kind] != "").sum()) for kind in ("lungs", "lesions")}
    unreadable = left_out[left_out["left_out"] == "unreadable"]
    reasons = [str(exclusions.reason(stored)) for stored in unreadable["left_out_reason"]]
    without_class = left_out["finding"][left_out["left_out"] == "finding"].value_counts().to_dict()
    lines = [f"Dataset {name}: " + ", ".join(f"{count} {label}" for label, count in data.counts().items())]
    lines += [f"Positive class: {data.positive}"] if data.positive else []
    lines += [f"Left out, {exclusions.KINDS[kind]}: {count}" for kind, count in data.left_out_counts().items()]
    lines += _first(
        [f"Finding without a class: {finding or 'none'}, {count} images" for finding, count in without_class.items()]
    )
    lines += [str(note) for note in data.info.notes]
    lines += [f"Masks: {masks['lungs']} of lungs, {masks['lesions']} of lesions"] if any(masks.values()) else []
    lines += _first([f"Missing: {file}" for file in missing])
    lines += _first([f"{path}: {reason}" for path, reason in zip(unreadable["path"], reasons, strict=True)])
    value = {
        "dataset": name,
        "classes": data.counts(),
        "positive": data.positive,
        "left_out": data.left_out_counts(),
        "findings_left_out": without_class,
        "masks": masks,
        "notes": [str(note) for note in data.info.notes],
        "missing": missing,
        "unreadable": dict(zip(unreadable["path"], reasons, strict=True)),
    }
    terminal.result(value, "\n".join(lines), json)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the datasets."""
    found = [dataset.load(name) for name in dataset.names()]
    value = {"datasets": [{"name": data.name, "classes": data.counts(), "version": data.version} for data in found]}
    lines = [f"{data.name}, version {data.version}: {data.counts()}" for data in found]
    lines += [f"Damaged: {bad}. {problem}" for bad, problem in dataset.damaged().items()]
    terminal.result(value, "\n".join(lines) or "No dataset yet: `cxr data import PATH`, or `cxr demo`.", json)


@app.command()
def download(
    key: Annotated[str, typer.Argument(metavar="DATASET", help=f"One of {', '.join(PUBLIC)}.")], json: Json = False
) -> None:
    """Download a public dataset once, with its licence. An interrupted download is resumed. Then import the file."""
    if key in PUBLIC and not json:
        print(f"{PUBLIC[key].title}. Licence: {PUBLIC[key].licence}. {PUBLIC[key].citation}")
    with terminal.progress() as progress:
        path = fetch(key, of_stage(progress, "bytes"))
    licence, citation = str(PUBLIC[key].licence), PUBLIC[key].citation
    value = {"dataset": key, "path": str(path), "licence": licence, "citation": citation}
    terminal.result(value, f"{path}\nNext: cxr data import {path}", json)


@app.command()
def audit(
    name: Name,
    exclude: Annotated[
        str,
        typer.Option(
            help="Exclude the images that resolve a kind of issue, e.g. near-duplicate or outlier:inverted; makes a "
            "new version."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Audit a dataset: duplicates, possible confounders, patients in two parts, outliers."""
    from cxrcore.audits.dataset import audit as audits

    data = dataset.load(name)
    with terminal.progress() as progress:
        found = audits.run(data, progress)
    lines = [f"{audits.title(issue)}. {issue.sentence}" for issue in found.issues]
    lines += [f"Class {label} has only {count} patients." for label, count in found.small_classes.items()]
    lines += [f"Images whose file is missing: {found.missing_files}."] if found.missing_files else []
    if probe := found.statistics_probe:
        lines.append(f"Accuracy from 20 image statistics: {with_interval(probe.accuracy)}; chance {probe.chance:.0%}.")
    value = found.plain()
    if exclude:
        changed = audits.exclude(data, found, exclude)
        value["new_version"] = changed.version
        lines.append(f"Version {changed.version} of {name} has {len(changed.usable)} images in use.")
    terminal.result(value, "\n".join(lines), json)


@app.command("classes")
def classes_(
    name: Name,
    rename: Annotated[
        list[str] | None,
        typer.Option(help="Class to its new name, e.g. 'FLU=INFECTION'; one name for two merges them."),
    ] = None,
    order: Annotated[list[str] | None, typer.Option(help="All classes in their new order, one --order each.")] = None,
    positive: Annotated[str, typer.Option(help="Positive class of a two-class question.")] = "",
    json: Json = False,
) -> None:
    """List the classes of a dataset, or rename, merge and reorder them as a new version."""
    data = dataset.load(name)
    if rename or order or positive:
        renamed = dict(_renamed(text, data.info.classes) for text in rename or [])
        data = editing.change_classes(name, renamed, order or (), positive)
    value = {"dataset": name, "version": data.version, "classes": data.counts(), "positive": data.positive}
    lines = [f"{label}: {count}" for label, count in data.counts().items()]
    lines += [f"Positive class: {data.positive}"] if data.positive else []
    terminal.result(value, "\n".join([f"Version {data.version} of {name}", *lines]), json)


@app.command()
def undo(name: Name, json: Json = False) -> None:
    """Undo the last edit of a dataset."""
    data = editing.undo(name)
    value = {"dataset": name, "version": data.version, "classes": data.counts()}
    terminal.result(value, f"Version {data.version} of {name}: {data.counts()}", json)


def _distinct(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return pairs of a finding and a class as a dictionary."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UserError("--map: expected one class for each finding. Received: {pairs}", pairs=[*map("=".join, pairs)])
    return found


def _first(lines: list[str], most: int = 50) -> list[str]:
    return lines if len(lines) <= most else [*lines[:most], f"... and {len(lines) - most} more"]


def _pair(text: str, option: str, form: str) -> tuple[str, str]:
    end = text.find("=", 1)  # a name may begin with one
    name, value = text[: max(end, 0)], text[end + 1 :]
    if not name.strip():
        raise UserError("{option}: expected {form}. Received: {received!r}", option=option, form=form, received=text)
    return name.strip(), value.strip()


def _renamed(text: str, names: Sequence[str]) -> tuple[str, str]:
    """Split at the first `=` after the name of a class; names may have a `=` of their own."""
    ends = [place for place, character in enumerate(text) if character == "=" and text[:place].strip() in names]
    return (text[: ends[0]].strip(), text[ends[0] + 1 :]) if ends else _pair(text, "--rename", "CLASS=NAME")


def _limit(text: str) -> tuple[str, int]:
    name, _, count = text.rpartition("=")
    if not name or not re.fullmatch("[0-9]{1,9}", count):
        raise UserError("--limit: expected CLASS=NUMBER. Received: {received!r}", received=text)
    return name, int(count)
