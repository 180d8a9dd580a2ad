"""Versions of a dataset: the table stays as imported, and edits are lines in a log.

Version 1 is the table as imported. Each line of `edits.jsonl` makes the next version, undo included, so every version
can be opened again and earlier runs keep their data.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from cxrcore import schema
from cxrcore.data.exclusions import leave_out
from cxrcore.data.info import DatasetInfo
from cxrcore.errors import DamagedFileError, UnreadableFileError
from cxrcore.files import append_line, read_lines
from cxrcore.messages import Message

LOG = "edits.jsonl"


class Edit(BaseModel):
    """One line of the log.

    Attributes:
        do: what was done; `classes` renames, merges or reorders the classes, or chooses the positive one.
        rows: numbers of the table.
        label: the new class of the rows.
        renamed: class to its new name; classes of one new name are merged.
        classes: the classes in their new order.
        positive: the positive class of a two-class question, "" for the default.
        reason: why images were excluded.
        at: an ISO time.
    """

    model_config = ConfigDict(frozen=True)

    do: Literal["relabel", "exclude", "restore", "classes", "undo"]
    rows: list[int] = []
    label: str = ""
    renamed: dict[str, str] = {}
    classes: list[str] = []
    positive: str = ""
    reason: Message = Message(id="")
    at: str = ""


def read(folder: Path) -> list[Edit]:
    """Return the edits of a dataset.

    Raises:
        DamagedFileError: a line is no edit, or the file cannot be read.
        NewerFileError: a newer version of the program has written it.
    """
    path = folder / LOG
    try:
        lines = read_lines(path)
        for line in lines:
            schema.check_version(line.get(schema.KEY, 1), path)
        return [Edit.model_validate(line) for line in lines]
    except OSError as error:
        raise UnreadableFileError(path, error) from error
    except (ValueError, ValidationError, AttributeError) as error:
        raise DamagedFileError("{path} is damaged, or was written by another program.", path=path) from error


def append(folder: Path, edit: Edit) -> None:
    """Add an edit to the log: the next version."""
    append_line(folder / LOG, {schema.KEY: schema.VERSION} | edit.model_dump(mode="json", exclude_defaults=True))


def in_effect(edits: Iterable[Edit]) -> list[Edit]:
    """Return the edits that no later undo reverted."""
    stack: list[Edit] = []
    for edit in edits:
        if edit.do != "undo":
            stack.append(edit)
        elif stack:
            stack.pop()
    return stack


def apply(table: pd.DataFrame, edits: Iterable[Edit]) -> pd.DataFrame:
    """Return `table` after the edits."""
    table = table.copy()
    for edit in in_effect(edits):
        if edit.do == "relabel":
            table.loc[edit.rows, "label"] = edit.label
        elif edit.do == "classes":
            table["label"] = table["label"].replace(edit.renamed)
        elif edit.do == "exclude":
            table = leave_out(table, table.index.isin(edit.rows), "excluded", edit.reason)
        else:
            table.loc[edit.rows, ["left_out", "left_out_reason"]] = ""
    return table


def info_after(info: DatasetInfo, edits: Iterable[Edit]) -> DatasetInfo:
    """Return `info` with the classes and the positive class after the edits."""
    for edit in in_effect(edits):
        if edit.do == "classes":
            info = info.model_copy(update={"classes": edit.classes, "positive": edit.positive})
    return info
