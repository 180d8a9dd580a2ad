"""Versions of a dataset: the table stays as imported, edits are lines in a log.

Version 1 is the table as imported, and each line of `edits.jsonl` makes the next version, undo included. So every
version can be had again, and nothing that an earlier run saw is lost.
"""

from collections.abc import Iterable
from typing import Any

import pandas as pd

LOG = "edits.jsonl"


def standing(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the edits that no later undo took back."""
    stack: list[dict[str, Any]] = []
    for line in lines:
        if line["do"] != "undo":
            stack.append(line)
        elif stack:
            stack.pop()
    return stack


def applied(table: pd.DataFrame, lines: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return `table` after the edits in `lines`."""
    table = table.copy()
    for line in standing(lines):
        if line["do"] == "relabel":
            table.loc[line["rows"], "label"] = line["label"]
        elif line["do"] == "exclude":
            table.loc[line["rows"], "left_out"] = f"excluded: {line['reason']}"
        else:
            table.loc[line["rows"], "left_out"] = ""
    return table
