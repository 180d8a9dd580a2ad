"""Edits of a dataset: its images, its classes, and undo. Each makes a new version (see `versions`)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from cxrcore import settings
from cxrcore.data import classes, dataset, exclusions, versions
from cxrcore.data.versions import Edit
from cxrcore.errors import UserError
from cxrcore.messages import Message, msg

BY_HAND = msg("by hand")


def relabel(name: str, rows: Sequence[int], label: str) -> dataset.Dataset:
    """Give the images in `rows` (column `row` of the table) another class; return the new version.

    Raises:
        UserError: no class of this name, or no such row.
    """
    with _locked(name) as data:
        _check_class(label, data.info.classes)
        return _append(data, Edit(do="relabel", label=label, rows=_checked(data, rows)))


def change_classes(
    name: str, renamed: Mapping[str, str], order: Sequence[str] = (), positive: str = ""
) -> dataset.Dataset:
    """Rename, merge and reorder the classes, and choose the positive one; return the new version.

    Args:
        name: of the dataset.
        renamed: class to its new name. Classes of one new name are merged.
        order: the classes after the change in their new order, those without images may be left out; empty for the
            order as it is.
        positive: the positive class after the change, for a two-class question; "" for the one as it is.

    Raises:
        UserError: no such class, a name that is not allowed, fewer than two classes would be left, or nothing changes.
    """
    with _locked(name) as data:
        old = data.info.classes
        for label in renamed:
            _check_class(label, old)
        others = {label.casefold(): label for label in old if label not in renamed}
        wanted = {label: classes.checked(new) for label, new in renamed.items()}
        wanted = {label: others.get(new.casefold(), new) for label, new in wanted.items()}
        renamed = {label: new for label, new in wanted.items() if new != label}
        now = list(dict.fromkeys(renamed.get(label, label) for label in old))
        used = {renamed.get(label, label) for label in data.classes}
        if len(used) < min(classes.LEAST, len(data.classes)):
            raise UserError("A dataset needs at least two classes. Received: {names}.", names=sorted(used))
        for label in order:
            _check_class(label, now)
        if len(set(order)) != len(order) or (order and not used <= set(order)):
            raise UserError("order: expected the classes {now}. Received: {order}", now=now, order=list(order))
        now = [*order, *(label for label in now if label not in order)]
        if positive:
            _check_class(positive, now)
        in_use = [label for label in now if label in used]
        chosen = positive or renamed.get(data.info.positive, data.info.positive)
        chosen = "" if chosen == classes.positive(in_use) else chosen
        if not renamed and now == old and chosen == data.info.positive:
            raise UserError("The classes are as they were: {now}.", now=now)
        return _append(data, Edit(do="classes", renamed=renamed, classes=now, positive=chosen))


def exclude(name: str, rows: Sequence[int], reason: Message = BY_HAND) -> dataset.Dataset:
    """Leave out the images in `rows`; return the new version. Raises `UserError` as `relabel`, or if none is left."""
    with _locked(name) as data:
        if set(data.table.index[data.table["left_out"] == ""]) <= set(rows):
            raise UserError("That would exclude every image of the dataset. Keep some, or delete the dataset.")
        return _append(data, Edit(do="exclude", reason=reason, rows=_checked(data, rows)))


def restore(name: str, rows: Sequence[int]) -> dataset.Dataset:
    """Use the images in `rows` again; return the new version.

    Raises:
        UserError: an image was never opened, for example because its finding has no class.
    """
    with _locked(name) as data:
        checked, table = _checked(data, rows), data.table
        for row in checked:
            if not table["sha256"][row] or not table["label"][row]:
                raise UserError(
                    "{name} cannot be used as it is ({reason}). Repair the file or assign a class to its finding, and "
                    "import again.",
                    name=Path(table["path"][row]).name,
                    reason=exclusions.reason(table["left_out_reason"][row]),
                )
        return _append(data, Edit(do="restore", rows=checked))


def undo(name: str, seen: int = 0) -> dataset.Dataset:
    """Revert the last edit that is in effect; return the new version.

    `seen` is the version that the user looked at, 0 for any.

    Raises:
        UserError: there is no edit to undo, or the dataset has changed since.
    """
    with _locked(name) as data:
        if seen not in (0, data.version):
            raise UserError("{name} was edited in another tab or window. Reload before you undo.", name=name)
        if not can_undo(data):
            raise UserError("There is no edit of {name!r} to undo.", name=name)
        return _append(data, Edit(do="undo"))


def can_undo(data: dataset.Dataset) -> bool:
    """Tell whether an edit is in effect."""
    return bool(versions.in_effect(versions.read(data.folder)))


def history(data: dataset.Dataset) -> list[Message]:
    """Return what was done for each version after the first."""
    return [_description(edit) for edit in versions.read(data.folder)[: data.version - 1]]


def _description(edit: Edit) -> Message:
    if edit.do == "relabel":
        return msg("images relabelled to {label}: {n}", label=classes.display(edit.label), n=len(edit.rows))
    if edit.do == "classes":
        if edit.renamed:
            changes = [
                msg("{old} to {new}", old=classes.display(old), new=classes.display(new))
                for old, new in edit.renamed.items()
            ]
            return msg("classes renamed or merged: {changes}", changes=changes)
        return msg("order of the classes or positive class changed")
    if edit.do == "exclude":
        return msg("images excluded: {n}", n=len(edit.rows))
    return msg("images restored: {n}", n=len(edit.rows)) if edit.do == "restore" else msg("undid the last edit")


def _check_class(label: str, names: Sequence[str]) -> None:
    if label not in names:
        raise UserError("class: expected one of {expected}. Received: {label!r}", expected=list(names), label=label)


@contextmanager
def _locked(name: str) -> Iterator[dataset.Dataset]:
    """Yield the newest version; no other process edits it until the block ends."""
    settings.require_writable()
    with FileLock(dataset.load(name).folder / ".lock"):
        yield dataset.load(name)


def _checked(data: dataset.Dataset, rows: Sequence[int]) -> list[int]:
    """Return the distinct rows, sorted; raise `UserError` for none, or one that is not in the table."""
    wanted = sorted({int(row) for row in rows})
    unknown = [row for row in wanted if row not in data.table.index]
    if unknown or not wanted:
        raise UserError(
            "rows: expected numbers from 0 to {last}. Received: {unknown}",
            last=len(data.table) - 1,
            unknown=unknown or msg("none"),
        )
    return wanted


def _append(data: dataset.Dataset, edit: Edit) -> dataset.Dataset:
    versions.append(data.folder, edit.model_copy(update={"at": datetime.now(UTC).isoformat(timespec="seconds")}))
    return dataset.load(data.name)
