"""Lists beside images, as public sets have them: faulty lines are counted, and never stop an import."""

import csv
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cxrcore.data import dicom, exclusions
from cxrcore.data.errors import ImageError
from cxrcore.data.file_tree import FileTree
from cxrcore.data.images import SUFFIXES
from cxrcore.data.readers import masks
from cxrcore.data.readers.base import SPLIT_NAMES, check_columns, path_of
from cxrcore.errors import UserError
from cxrcore.messages import Message, msg

_IMAGE_SUFFIXES = tuple(SUFFIXES | {suffix for suffix in dicom.SUFFIXES if suffix})


@dataclass(frozen=True)
class Table:
    """The rows of a CSV, by column name in lower case, each with the number of its line, and the faulty lines."""

    name: str
    rows: list[tuple[int, dict[str, str]]]
    faulty: list[int]


def text(tree: FileTree, name: str) -> str:
    """Return a text file of `tree`, without a byte-order mark; bytes that are not UTF-8 are replaced.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return tree.read(name).decode("utf-8-sig", errors="replace")
    except ImageError as error:
        raise UserError(
            "{origin}/{name} cannot be read: {error}", origin=tree.origin, name=name, error=error
        ) from error


def table(tree: FileTree, name: str, needed: Collection[str]) -> Table:
    """Return a CSV of `tree`. Empty lines are skipped; those with too few or too many cells are faulty.

    Raises:
        UserError: it cannot be read, or lacks one of the columns `needed`.
    """
    lines = text(tree, name).splitlines()
    check_columns(lines, tree.origin, name)
    reader = csv.reader(lines)
    columns: list[str] = []
    rows: list[tuple[int, dict[str, str]]] = []
    faulty = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = [cell.strip().lower() for cell in cells]
            elif len(cells) < len(columns) or any(cell.strip() for cell in cells[len(columns) :]):
                faulty.append(reader.line_num)
            else:
                stripped = (cell.strip() for cell in cells)
                rows.append((reader.line_num, dict(zip(columns, stripped, strict=False))))
    except csv.Error as error:
        raise UserError(
            "{origin}/{name} cannot be read as a table: {error}", origin=tree.origin, name=name, error=error
        ) from error
    missing = [column for column in needed if column not in columns]
    if missing:
        raise UserError("{origin}/{name} lacks the columns {missing}.", origin=tree.origin, name=name, missing=missing)
    return Table(name, rows, faulty)


def join(folder: str, name: str) -> str:
    """Return the name of a file in `folder`, which is "" for the tree itself."""
    return f"{folder}/{name}" if folder else name


def parent(name: str) -> str:
    """Return the folder that a file or folder is in, "" for the tree itself."""
    return name.rpartition("/")[0]


def source(tree: FileTree, folder: str) -> str:
    """Return the name of a set: that of its folder, or of the one above for a folder such as train."""
    above = [*tree.origin.replace("\\", "/").split("/")[-2:-1], tree.name, *(folder.split("/") if folder else [])]
    return next((name for name in reversed(above) if name and name.lower() not in SPLIT_NAMES), tree.name)


def images(tree: FileTree, folder: str) -> list[str]:
    """Return the names of the images below `folder`, without masks."""
    of_masks = masks.names(tree)
    return [name for name in tree.below(folder) if name.lower().endswith(_IMAGE_SUFFIXES) and name not in of_masks]


def stem(name: str) -> str:
    """Return a file name in lower case without folders and the suffix of an image."""
    file = name.rpartition("/")[2].lower()
    return file.rpartition(".")[0] if file.endswith(_IMAGE_SUFFIXES) else file


def mark_repeats(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records; one of the same file and finding as an earlier one is left out."""
    seen = set()
    marked = []
    for record in records:
        key = (record["path"], record["finding"])
        again = key in seen and not record.get("left_out")
        seen.add(key)
        repeated = exclusions.columns("repeated", msg("the file is listed before")) if again else {}
        marked.append(record | repeated)
    return marked


def faulty_note(name: str, lines: Sequence[int]) -> tuple[Message, ...]:
    """Return the note on lines of a list that cannot be read, if there are any."""
    if not lines:
        return ()
    return (
        msg(
            "{name}: lines that cannot be read: {count}, for example line {line}",
            name=name,
            count=len(lines),
            line=min(lines),
        ),
    )


def unlisted_notes(tree: FileTree, folder: str, rows: pd.DataFrame) -> tuple[Message, ...]:
    """Return the note on images below `folder` that are not among the rows of a reading, if there are any."""
    listed = set(rows["path"])
    return unlisted_note(tree.origin, [name for name in images(tree, folder) if path_of(tree, name) not in listed])


def unlisted_note(origin: str, names: Sequence[str]) -> tuple[Message, ...]:
    """Return the note on images that are in no list, if there are any."""
    if not names:
        return ()
    return (
        msg(
            "{origin}: images without a label: {count}, for example {name}",
            origin=origin,
            count=len(names),
            name=names[0],
        ),
    )
