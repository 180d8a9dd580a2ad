"""Folders of images to a dataset: read, map to classes, open every image once, write the table."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from cxrcore.data import classes, dataset, leaving_out
from cxrcore.data.images import ImageError, Upload, open_rgb, read
from cxrcore.data.readers import detect
from cxrcore.data.readers.base import Reading
from cxrcore.data.staging import publish, refuse_taken, staging
from cxrcore.files import write_bytes

Progress = Callable[[int, int], None]


def import_folders(
    folders: Sequence[Path],
    name: str,
    mapping: Mapping[str, str] | None = None,
    limits: Mapping[str, int] | None = None,
    progress: Progress | None = None,
    replace: bool = False,
) -> dataset.Dataset:
    """Merge what lies in `folders` into the dataset `name`; image files stay where they are.

    Args:
        folders: one or more folders of a known layout (see `readers`).
        name: the new dataset's name.
        mapping: finding to class, over the sources' defaults; "" leaves a finding out.
        limits: the most images of a class; the first ones in the sources' order are kept.
        progress: called with (images done, images in all).
        replace: whether a dataset of this name may be replaced.

    Raises:
        UserError: a folder holds nothing known, the name is taken, or no image is usable.
    """
    refuse_taken(name, replace)
    classes.check((mapping or {}).values(), "class to map to")
    classes.check(limits or {}, "class to limit")
    readings = [reading for folder in folders for reading in detect.read(Path(folder))]
    table = merged(readings, mapping or {})
    with staging() as folder:
        table = _opened(table, folder, progress)
        table["left_out"] = leaving_out.same_pictures(table)
        leaving_out.refuse_empty(table)
        table["left_out"] = leaving_out.over_limits(table, limits or {})
        return publish(folder, name, table, _about(readings, mapping or {}), replace)


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
    leaving_out.refuse_unknown_findings(table, mapping)
    own = table["path"].where(table["patient"] == "", table["patient"])
    return table.assign(patient=table["source"] + ":" + own)


def _opened(table: pd.DataFrame, folder: Path, progress: Progress | None) -> pd.DataFrame:
    """Return the table with hash and size of every image, having opened each one that is not left out."""
    records = table.to_dict("records")
    (folder / "images").mkdir()
    done = []
    with ThreadPoolExecutor() as pool:
        for record in pool.map(lambda record: _open_one(record, folder), records):
            done.append(record)
            if progress:
                progress(len(done), len(records))
    return pd.DataFrame.from_records(done).drop(columns="content")


def _open_one(record: dict, folder: Path) -> dict:
    found = {"sha256": "", "width": 0, "height": 0}
    if record["left_out"]:
        return record | found
    if callable(record["content"]):
        content = record["content"]()
        relative = Path("images") / f"{hashlib.sha256(content).hexdigest()[:16]}-{record['path']}"
        write_bytes(folder / relative, content)
        record = record | {"path": str(relative)}
    path = folder / record["path"]
    try:
        content = read(path)
        image = open_rgb(Upload(path.name, content))
    except ImageError as error:
        kind = "missing" if not path.exists() else "unreadable"
        return record | found | {"left_out": f"{kind}: {error}"}
    digest = hashlib.sha256(content).hexdigest()
    return record | {"sha256": digest, "width": image.width, "height": image.height}


def _about(readings: Sequence[Reading], mapping: Mapping[str, str]) -> dict:
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "sources": [
            {"layout": reading.layout, "path": str(reading.root), "citation": reading.citation} for reading in readings
        ],
        "mapping": dict(mapping),
    }
