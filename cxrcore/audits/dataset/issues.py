"""Issues that the dataset audit finds."""

from collections.abc import Iterable, Sequence

import pandas as pd
from pydantic import BaseModel, ConfigDict

from cxrcore.i18n import N_
from cxrcore.messages import Message, msg

EXACT, NEAR, LEAK, CONFOUNDER, OUTLIER = "exact-duplicate", "near-duplicate", "patient-leak", "confounder", "outlier"
# Code of a kind -> its title.
KINDS = {
    EXACT: N_("Exact duplicates"),
    NEAR: N_("Near duplicates"),
    LEAK: N_("Patients in two parts of the split"),
    CONFOUNDER: N_("Possible confounder"),
    OUTLIER: N_("Outliers"),
}
SEVERE = (LEAK, CONFOUNDER)


class Issue(BaseModel):
    """One issue.

    Attributes:
        kind: a code of `KINDS`.
        what: a code within the kind, for example the column of a confounder.
        sentence: what was found.
        rows: the images it is about (column `row` of the dataset's table).
        images: their paths.
        exclude: the rows whose exclusion resolves it, empty where excluding does not help.
        groups: for duplicates, the rows that belong together.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    what: str
    sentence: Message
    rows: list[int]
    images: list[str] = []
    exclude: list[int] = []
    groups: list[list[int]] = []


def issue(
    kind: str,
    what: str,
    sentence: Message,
    rows: Iterable[int],
    exclude: Iterable[int] = (),
    groups: Sequence[Iterable[int]] = (),
) -> Issue:
    """Return an issue from rows of any integer type."""
    plain = [[int(row) for row in group] for group in (rows, exclude, *groups)]
    return Issue(kind=kind, what=what, sentence=sentence, rows=plain[0], exclude=plain[1], groups=plain[2:])


def image_count(count: int) -> Message:
    """Return for example `1 image` or `2 images`."""
    return msg("1 image") if count == 1 else msg("{n} images", n=count)


def examples(table: pd.DataFrame) -> list[int]:
    """Return some rows of each class."""
    return list(table.groupby("label").head(4)["row"])
