"""Folders of images to a dataset: read, map to classes, open every image once, write the table."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from filelock import FileLock

from cxrcore import settings
from cxrcore.data import classes, dataset
from cxrcore.data.images import ImageError, Upload, open_rgb, read
from cxrcore.data.readers import detect
from cxrcore.data.readers.base import Reading
from cxrcore.errors import UserError
from cxrcore.files import atomic_path, write_bytes, write_json

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
        table["left_out"] = _same_pictures(table)
        _refuse_empty(table)
        table["left_out"] = _over_limits(table, limits or {})
        return publish(folder, name, table, _about(readings, mapping or {}), replace)


def refuse_taken(name: str, replace: bool) -> None:
    """Raise `UserError` when `name` cannot be used for a new dataset."""
    if dataset.check_name(name) in dataset.names() and not replace:
        raise UserError(f"A dataset named {name!r} exists already. Choose another name, or replace it.")


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
    _refuse_unknown_findings(table, mapping)
    own = table["path"].where(table["patient"] == "", table["patient"])
    return table.assign(patient=table["source"] + ":" + own)


@contextmanager
def staging() -> Iterator[Path]:
    """Yield a temporary folder on the datasets' disk; what is not published when the block ends is gone."""
    settings.datasets_folder().mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".importing-", dir=settings.datasets_folder()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, name: str, table: pd.DataFrame, about: dict, replace: bool) -> dataset.Dataset:
    """Write the table and rename the staged folder to its place: a dataset is there whole or not at all.

    Raises:
        UserError: the name was taken meanwhile, or the disk is full.
    """
    table = table.reindex(columns=[*dataset.TEXT, *dataset.NUMBERS])
    table[dataset.TEXT] = table[dataset.TEXT].astype(object).fillna("").astype(str)
    with atomic_path(folder / "table.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    write_json(folder / "dataset.json", about)
    target = settings.datasets_folder() / name
    with FileLock(settings.datasets_folder() / ".lock"), staging() as old:
        refuse_taken(name, replace)
        if target.exists():
            target.replace(old / name)
        try:
            folder.replace(target)
        except OSError:
            (old / name).replace(target)
            raise
    return dataset.load(name)


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


def _same_pictures(table: pd.DataFrame) -> pd.Series:
    """Return `left_out` with pictures that occur again, as files of equal content, left out.

    One picture in two rows could be learned from and tested on; one with two classes has no truth.
    """
    used = table[table["left_out"] == ""]
    classes_of = used.groupby("sha256")["label"].transform("nunique")
    again = used["sha256"].duplicated()
    left_out = table["left_out"].copy()
    left_out[again[again].index] = "repeated: the same picture is in the dataset already"
    left_out[classes_of[classes_of > 1].index] = "conflict: the same picture occurs with another class"
    return left_out


def _refuse_unknown_findings(table: pd.DataFrame, mapping: Mapping[str, str]) -> None:
    known = {*table["finding"].str.upper(), *(table["source"] + "/" + table["finding"]).str.upper()}
    for name in mapping:
        if name.upper() not in known:
            found = ", ".join(sorted(table["finding"].unique())[:20])
            raise UserError(f"finding to map: expected one of {found}. Received: {name!r}")


def _over_limits(table: pd.DataFrame, limits: Mapping[str, int]) -> pd.Series:
    used = table["left_out"] == ""
    rank = table[used].groupby("label").cumcount()
    most = table.loc[used, "label"].map(dict(limits)).fillna(len(table))
    over = (rank >= most).reindex(table.index, fill_value=False)
    return table["left_out"].mask(over, "limit: more images than asked for")


def _refuse_empty(table: pd.DataFrame) -> None:
    if (table["left_out"] == "").any():
        return
    reasons = table["left_out"].value_counts().head(3)
    text = "; ".join(f"{count} x {reason}" for reason, count in reasons.items())
    raise UserError(f"None of the {len(table)} images can be used: {text}. Map a finding to a class, perhaps.")


def _about(readings: Sequence[Reading], mapping: Mapping[str, str]) -> dict:
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "sources": [
            {"layout": reading.layout, "path": str(reading.root), "citation": reading.citation} for reading in readings
        ],
        "mapping": dict(mapping),
    }
