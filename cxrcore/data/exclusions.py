"""Why images are left out: a code in the column `left_out`, and a message as JSON in `left_out_reason`."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pandas as pd

from cxrcore.data.classes import NO_FOLDER
from cxrcore.errors import UserError
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg

# Code in the column `left_out` -> its text; "" in the column is an image in use.
KINDS = {
    "unreadable": N_("unreadable"),
    "missing": N_("missing file"),
    "outside": N_("outside the permitted folders"),
    "view": N_("not a frontal view"),
    "modality": N_("not a plain radiograph"),
    "multi-frame": N_("several frames"),
    "colour": N_("in colour"),
    "repeated": N_("repeated"),
    "conflict": N_("conflicting classes"),
    "limit": N_("above the limit"),
    "finding": N_("finding without a class"),
    "several": N_("findings of several classes"),
    "uncertain": N_("uncertain finding"),
    "excluded": N_("excluded"),
}
SAME_IMAGE = msg("the same image is in the dataset already")


def columns(kind: str, reason: Message) -> dict[str, str]:
    """Return the two columns of a row that is left out."""
    return {"left_out": kind, "left_out_reason": reason.model_dump_json(exclude_defaults=True)}


def leave_out(table: pd.DataFrame, where: "np.ndarray | pd.Series", kind: str, reason: Message) -> pd.DataFrame:
    """Return `table` with the rows of a boolean mask left out."""
    marked = pd.Series(np.asarray(where, bool), index=table.index)
    return table.assign(**{name: table[name].mask(marked, text) for name, text in columns(kind, reason).items()})


@lru_cache(maxsize=4096)
def reason(stored: str) -> Message:
    """Return the message in the column `left_out_reason`; an empty one for an image in use."""
    return Message.model_validate_json(stored) if stored else Message(id="")


def migrate(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of version 1, with `kind: detail` in `left_out`, as one of version 2."""
    parts = table["left_out"].fillna("").str.partition(": ")
    reasons = [
        columns(kind, _migrated(kind, detail))["left_out_reason"] if kind else ""
        for kind, detail in zip(parts[0], parts[2], strict=True)
    ]
    return table.assign(left_out=parts[0], left_out_reason=reasons)


def _migrated(kind: str, detail: str) -> Message:
    if kind == "finding":
        return no_class(detail)
    return SAME_IMAGE if detail == "the same picture is in the dataset already" else Message(id=detail)


def no_class(finding: str) -> Message:
    """Return the reason for images whose finding has no class."""
    shown = Message(id=finding) if finding == NO_FOLDER else finding
    return msg("no class is assigned to the finding {finding}", finding=shown)


def without_repeats(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with repeated images, as files of equal content, left out.

    An image in two rows could be trained and tested on; the true class of an image with two classes is unknown. The row
    that is kept has the masks of the first of its repeats that has some.
    """
    used = table[table["left_out"] == ""]
    classes_of = used.groupby("sha256")["label"].transform("nunique")
    conflicts = used.index[classes_of > 1]
    repeats = used.index[used["sha256"].duplicated()].difference(conflicts)
    kept = used.index.difference(repeats).difference(conflicts)
    for kind in ("lungs", "lesions"):
        masks = used[used[kind] != ""].drop_duplicates("sha256").set_index("sha256")[kind]
        given = used.loc[kept, "sha256"].map(masks).dropna().astype(table[kind].dtype)
        table = table.assign(**{kind: pd.concat([given, table[kind].drop(given.index)])})
    table = leave_out(table, table.index.isin(repeats), "repeated", SAME_IMAGE)
    return leave_out(table, table.index.isin(conflicts), "conflict", msg("the same image occurs with another class"))


def within_limits(table: pd.DataFrame, limits: Mapping[str, int]) -> pd.DataFrame:
    """Return `table` with the images of a class beyond its limit left out; the first ones are kept."""
    used = table["left_out"] == ""
    rank = table[used].groupby("label").cumcount()
    most = table.loc[used, "label"].map(dict(limits)).fillna(len(table))
    over = (rank >= most).reindex(table.index, fill_value=False)
    return leave_out(table, over, "limit", msg("more images than asked for"))


def check_not_empty(table: pd.DataFrame) -> None:
    """Raise `UserError` with the most frequent reasons if no image is in use."""
    if (table["left_out"] == "").any():
        return
    counts = table["left_out_reason"].value_counts().head(3)
    raise UserError(
        "None of the {count} images can be used: {reasons}. Assign a class to a finding, or choose other files.",
        count=len(table),
        reasons=[msg("{count} x {reason}", count=n, reason=reason(stored)) for stored, n in counts.items()],
    )
