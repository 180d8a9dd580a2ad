"""Edits of a dataset: relabel, exclude, restore and undo. Each makes a new version (see `versions`)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from cxrcore import settings
from cxrcore.data import classes, dataset
from cxrcore.data.versions import LOG, standing
from cxrcore.errors import UserError
from cxrcore.files import append_line, read_lines
from cxrcore.i18n import N_

_IN_WORDS = {
    "relabel": N_("images relabelled to {label}: {n}"),
    "exclude": N_("images excluded: {n}"),
    "restore": N_("images restored: {n}"),
    "undo": N_("undid the last edit"),
}


def relabel(name: str, rows: Sequence[int], label: str) -> dataset.Dataset:
    """Give the images in `rows` (column `row` of the table) another class; return the new version.

    Raises:
        UserError: no class of this name, or a row that is not there.
    """
    if label not in classes.CLASSES:
        raise UserError(
            "class: expected one of {expected}. Received: {label!r}", expected=", ".join(classes.CLASSES), label=label
        )
    with _locked(name) as data:
        return _append(data, {"do": "relabel", "label": label, "rows": _known(data, rows)})


def exclude(name: str, rows: Sequence[int], reason: str = "by hand") -> dataset.Dataset:
    """Leave out the images in `rows`; return the new version. Raises `UserError` as `relabel`, or if none is left."""
    with _locked(name) as data:
        if set(data.table.index[data.table["left_out"] == ""]) <= set(rows):
            raise UserError("That would exclude every image of the dataset. Keep some, or delete the dataset.")
        return _append(data, {"do": "exclude", "reason": reason, "rows": _known(data, rows)})


def restore(name: str, rows: Sequence[int]) -> dataset.Dataset:
    """Use the images in `rows` again; return the new version.

    Raises:
        UserError: an image was never opened, for example because its finding has no class.
    """
    with _locked(name) as data:
        known, table = _known(data, rows), data.table
        for row in known:
            if not table["sha256"][row] or not table["label"][row]:
                raise UserError(
                    "{name} cannot be used as it is ({reason}). Mend the file or give its finding a class, and import "
                    "again.",
                    name=Path(table["path"][row]).name,
                    reason=table["left_out"][row],
                )
        return _append(data, {"do": "restore", "rows": known})


def undo(name: str, seen: int = 0) -> dataset.Dataset:
    """Take back the last edit that is not taken back; return the new version.

    `seen` is the version that the user looked at, 0 for whichever.

    Raises:
        UserError: there is no edit to undo, or the dataset has changed since.
    """
    with _locked(name) as data:
        if seen not in (0, data.version):
            raise UserError(
                "{name} was edited meanwhile, in another tab or window. Look again before you undo.", name=name
            )
        if not can_undo(data):
            raise UserError("There is no edit of {name!r} to undo.", name=name)
        return _append(data, {"do": "undo"})


def can_undo(data: dataset.Dataset) -> bool:
    """Tell whether there is an edit that is not taken back."""
    return bool(standing(read_lines(data.folder / LOG)))


def history(data: dataset.Dataset) -> list[str]:
    """Return what was done for each version after the first, in words."""
    lines = []
    for line in read_lines(data.folder / LOG)[: data.version - 1]:
        values = {"n": len(line.get("rows", [])), "label": line.get("label", "")}
        lines.append(_IN_WORDS[line["do"]].format(**values))
    return lines


@contextmanager
def _locked(name: str) -> Iterator[dataset.Dataset]:
    """Yield the newest version; nobody else edits it until the block ends."""
    settings.require_writable()
    with FileLock(dataset.load(name).folder / ".lock"):
        yield dataset.load(name)


def _known(data: dataset.Dataset, rows: Sequence[int]) -> list[int]:
    wanted = sorted({int(row) for row in rows})
    unknown = [row for row in wanted if row not in data.table.index]
    if unknown or not wanted:
        raise UserError(
            "rows: expected numbers from 0 to {last}. Received: {unknown}",
            last=len(data.table) - 1,
            unknown=unknown or "none",
        )
    return wanted


def _append(data: dataset.Dataset, line: dict[str, Any]) -> dataset.Dataset:
    append_line(data.folder / LOG, line | {"at": datetime.now(UTC).isoformat(timespec="seconds")})
    return dataset.load(data.name)
