"""Why an image is not used: the reasons that show only when all sources are merged. `left_out` is `kind: detail`."""

from collections.abc import Mapping

import pandas as pd

from cxrcore.errors import UserError
from cxrcore.i18n import N_


def same_pictures(table: pd.DataFrame) -> pd.Series:
    """Return `left_out` with pictures that occur again, as files of equal content, left out.

    One picture in two rows could be learned from and tested on; one with two classes has no truth.
    """
    used = table[table["left_out"] == ""]
    classes_of = used.groupby("sha256")["label"].transform("nunique")
    again = used["sha256"].duplicated()
    left_out = table["left_out"].copy()
    left_out[again[again].index] = N_("repeated: the same picture is in the dataset already")
    left_out[classes_of[classes_of > 1].index] = N_("conflict: the same picture occurs with another class")
    return left_out


def over_limits(table: pd.DataFrame, limits: Mapping[str, int]) -> pd.Series:
    """Return `left_out` with the images of a class beyond its limit left out; the first ones are kept."""
    used = table["left_out"] == ""
    rank = table[used].groupby("label").cumcount()
    most = table.loc[used, "label"].map(dict(limits)).fillna(len(table))
    over = (rank >= most).reindex(table.index, fill_value=False)
    return table["left_out"].mask(over, N_("limit: more images than asked for"))


def refuse_empty(table: pd.DataFrame) -> None:
    """Raise `UserError` with the most frequent reasons if no image is in use."""
    if (table["left_out"] == "").any():
        return
    reasons = table["left_out"].value_counts().head(3)
    text = "; ".join(f"{count} x {reason}" for reason, count in reasons.items())
    raise UserError(
        "None of the {count} images can be used: {reasons}. Map a finding to a class, perhaps.",
        count=len(table),
        reasons=text,
    )


def refuse_unknown_findings(table: pd.DataFrame, mapping: Mapping[str, str]) -> None:
    """Raise `UserError` for a mapping of a finding that no source has."""
    known = {*table["finding"].str.upper(), *(table["source"] + "/" + table["finding"]).str.upper()}
    for name in mapping:
        if name.upper() not in known:
            found = ", ".join(sorted(table["finding"].unique())[:20])
            raise UserError("finding to map: expected one of {found}. Received: {name!r}", found=found, name=name)
