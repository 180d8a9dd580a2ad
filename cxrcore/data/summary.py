"""What the overview of a dataset shows, computed from its table alone: no image is opened."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrcore.data import distributions, flow, split
from cxrcore.data.dataset import PARTS, Dataset
from cxrcore.data.distributions import Distribution
from cxrcore.data.flow import ImageFlow
from cxrcore.errors import UserError
from cxrcore.messages import Message

EXAMPLES = 6  # images of each class


@dataclass(frozen=True)
class DatasetSummary:
    """The images in use of one version of a dataset.

    Attributes:
        images: their number.
        patients: the number of their patients.
        flow: from those identified to the parts of the split by patient with the default shares.
        sources: images by class, for each source.
        parts: images by class, for each part of that split; empty where it is not possible.
        split_problem: why it is not possible, None where it is.
        given: images by class, for each part that the source gives, "" for none; empty where it gives no parts.
        distributions: those of `distributions.COLUMNS` that have values.
        examples: numbers of rows (column `row`) of `EXAMPLES` images of each class, of different patients if possible.
    """

    images: int
    patients: int
    flow: ImageFlow
    sources: dict[str, dict[str, int]]
    parts: dict[str, dict[str, int]]
    split_problem: Message | None
    given: dict[str, dict[str, int]]
    distributions: dict[str, Distribution]
    examples: dict[str, list[int]]


def summarise(data: Dataset) -> DatasetSummary:
    """Return the summary of a dataset."""
    table, parts, problem = data.usable, None, None
    try:
        parts = split.by_patient(table)
    except UserError as error:
        problem = error.message
    given = (table["given_split"] != "").any()
    return DatasetSummary(
        images=len(table),
        patients=table["patient"].nunique(),
        flow=flow.of_dataset(data, parts),
        sources=_crossed(table["source"], table["label"], sorted(table["source"].unique())),
        parts=_crossed(parts, table["label"], PARTS) if parts is not None else {},
        split_problem=problem,
        given=_crossed(table["given_split"], table["label"], [*PARTS, ""]) if given else {},
        distributions=distributions.of_table(table, data.classes),
        examples={name: _examples(table[table["label"] == name]) for name in data.classes},
    )


def _crossed(groups: pd.Series, labels: pd.Series, order: Sequence[str]) -> dict[str, dict[str, int]]:
    crossed = pd.crosstab(groups, labels)
    return {
        name: {str(label): int(n) for label, n in crossed.loc[name].items()} for name in order if name in crossed.index
    }


def _examples(table: pd.DataFrame) -> list[int]:
    """Return rows spread evenly over the patients of one class, over its images where there are too few patients."""
    of_patients = table.drop_duplicates("patient")
    rows = (of_patients if len(of_patients) >= EXAMPLES else table)["row"].to_numpy()
    places = np.linspace(0, len(rows) - 1, min(EXAMPLES, len(rows))).round().astype(int)
    return [int(row) for row in rows[places]]
