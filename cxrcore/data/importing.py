"""Folders, archives, tables and uploads to a dataset: read, map to classes, open every image once, write the table."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from cxrcore import settings
from cxrcore.data import classes, dataset, exclusions
from cxrcore.data.file_tree import FileTree, open_file_tree
from cxrcore.data.inspection import ImageInspector
from cxrcore.data.readers import detect
from cxrcore.data.readers.base import Reading
from cxrcore.data.staging import Unfinished, publish, refuse_taken, resumable
from cxrcore.files import atomic_path

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Choices:
    """How what was read becomes a dataset.

    `mapping`: finding, or source/finding, to class, over the sources' defaults; "" leaves a finding out. `limits`: the
    most images of a class; the first ones in the sources' order are kept. `columns`: the column of a CSV by role.
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)


def import_folders(
    paths: Sequence[Path], name: str, choices: Choices | None = None, progress: Progress | None = None,
    replace: bool = False,
) -> dataset.Dataset:  # fmt: skip
    """Merge what lies in `paths` (folders, ZIPs, CSVs) into the dataset `name`, as `import_trees` does."""
    refuse_taken(name, replace)
    return import_trees([open_file_tree(Path(path)) for path in paths], name, choices, progress, replace)


def import_trees(
    trees: Sequence[FileTree], name: str, choices: Choices | None = None, progress: Progress | None = None,
    replace: bool = False, roots: Sequence[Path] | None = None,
) -> dataset.Dataset:  # fmt: skip
    """Merge `trees` into the dataset `name`. Image files on disk stay where they are; others are copied.

    Interrupted and called again with the same sources and choices, it goes on where it was.

    Args:
        trees: where images and lists are.
        name: the new dataset's name.
        choices: mapping, limits and columns.
        progress: called with (images done, images in all).
        replace: whether a dataset of this name may be replaced.
        roots: the folders that files on disk may lie in; None for anywhere.

    Raises:
        UserError: a source holds nothing known, the name is taken, no image is usable, the disk is full, or the same
            import runs already.
    """
    settings.require_writable()
    choices = choices or Choices()
    refuse_taken(name, replace)
    classes.check(choices.mapping.values(), "class to map to")
    classes.check(choices.limits, "class to limit")
    readings = [reading for tree in trees for reading in detect.read(tree, choices.columns)]
    table = merged(readings, choices.mapping)
    plan = [table.drop(columns="content").to_json(orient="values"), *map(str, ["anywhere"] if roots is None else roots)]
    with resumable(name, plan) as unfinished:
        table, measures = _opened(table, unfinished, roots, progress)
        table["left_out"] = exclusions.same_pictures(table)
        if not (table["left_out"] == "").any():
            unfinished.discard()
        exclusions.refuse_empty(table)
        table["left_out"] = exclusions.over_limits(table, choices.limits)
        with atomic_path(unfinished.folder / dataset.MEASURES) as temporary:
            measures.to_parquet(temporary)
        return publish(unfinished.folder, name, table, _about(readings, choices), replace)


def merged(readings: Sequence[Reading], mapping: Mapping[str, str]) -> pd.DataFrame:
    """Return one table of all readings with labels; findings without a class are left out by reason."""
    tables = []
    for reading in readings:
        rows = reading.rows.copy()
        rows["label"] = [
            classes.to_class(finding, source, reading.known, mapping)
            for finding, source in zip(rows["finding"], rows["source"], strict=True)
        ]
        rows["left_out"] = rows["left_out"].mask(
            (rows["label"] == "") & (rows["left_out"] == ""), "finding: " + rows["finding"]
        )
        tables.append(rows)
    table = pd.concat(tables, ignore_index=True)
    exclusions.refuse_unknown_findings(table, mapping)
    return table


def _opened(
    table: pd.DataFrame, unfinished: Unfinished, roots: Sequence[Path] | None, progress: Progress | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table with what was found in every image, and the measures by SHA-256."""
    records = table.to_dict("records")
    found = unfinished.found()
    opener = ImageInspector(unfinished.folder, roots, unfinished.salt)
    pool = ThreadPoolExecutor(os.cpu_count())  # each may hold an image of 40 million pixels
    try:
        for row, result in enumerate(pool.map(opener.open, records[len(found) :]), start=len(found)):
            unfinished.keep(result)
            found.append(result)
            if progress:
                progress(row + 1, len(records))
    finally:
        pool.shutdown(cancel_futures=True)
    measures = {result["sha256"]: result.pop("measures") for result in found if "measures" in result}
    rows = pd.DataFrame([{"sha256": ""} | record | result for record, result in zip(records, found, strict=True)])
    # An image whose patient is unknown counts as a patient of its own.
    alone = rows["source"] + ":" + rows["path"]
    rows = rows.drop(columns=["content", "mark"]).assign(patient=alone.where(rows["patient"] == "", rows["patient"]))
    return rows, pd.DataFrame.from_dict(measures, orient="index")


def _about(readings: Sequence[Reading], choices: Choices) -> dict:
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "sources": [
            {"layout": reading.layout, "path": reading.origin, "citation": reading.citation} for reading in readings
        ],
        "mapping": dict(choices.mapping),
    }
