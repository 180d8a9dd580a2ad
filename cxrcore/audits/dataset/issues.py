"""What an audit says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cxrcore.i18n import N_
from cxrcore.messages import msg

KINDS = EXACT, NEAR, LEAK, CONFOUND, OUTLIER = (
    "exact-duplicate",
    "near-duplicate",
    "patient-leak",
    "confound",
    "outlier",
)


@dataclass(frozen=True)
class Issue:
    """One finding. `rows`: the images it is about (column `row` of the dataset's table), to look at.

    `exclude`: the images whose exclusion settles it, none where excluding does not help. `groups`: for duplicates, the
    images that belong together.
    """

    kind: str
    what: str
    sentence: str
    rows: Sequence[int]
    exclude: Sequence[int] = ()
    groups: Sequence[Sequence[int]] = field(default_factory=list)

    def as_json(self, table: pd.DataFrame) -> dict[str, Any]:
        """Return plain values; `images` are the paths of `rows`."""
        return {
            "kind": self.kind,
            "what": self.what,
            "sentence": self.sentence,
            "images": [table["path"][row] for row in self.rows],
            "rows": integers(self.rows),
            "exclude": integers(self.exclude),
            "groups": [integers(group) for group in self.groups],
        }


def integers(values: Iterable[Any]) -> list[int]:
    """Return plain integers, as JSON knows no other."""
    return [int(value) for value in values]


def images(count: int) -> str:
    """Return for example `1 image` or `2 images`."""
    return N_("1 image") if count == 1 else msg("{n} images", n=count)
