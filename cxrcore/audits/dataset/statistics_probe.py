"""Accuracy of a linear classifier on 20 image statistics, cross-validated by patient.

The 20 statistics include the histogram of the whole image, which disease changes too. The issue rests on the 11
statistics of borders, corners and geometry.
"""

import pandas as pd
from pydantic import BaseModel, ConfigDict

from cxrcore.audits.dataset.issues import CONFOUNDER, Issue, examples, issue
from cxrcore.data.image_statistics import BORDER, STATISTICS
from cxrcore.evaluation import linear_probe
from cxrcore.i18n import N_
from cxrcore.messages import msg
from cxrcore.metric import Metric

MARGIN = 0.05
TITLES = {"borders": N_("image borders")}


class StatisticsProbe(BaseModel):
    """`accuracy`: from all 20 statistics; `border`: from borders, corners and geometry; `chance`: the largest class."""

    model_config = ConfigDict(frozen=True)

    accuracy: Metric
    chance: float
    border: Metric


def measure(table: pd.DataFrame, measures: pd.DataFrame) -> StatisticsProbe | None:
    """Return the probe of a table, `measures` row by row; None for one class, or a class of one patient."""
    readable = measures["mean"].notna()
    table, measures = table[readable], measures[readable]
    patients = table.groupby("label")["patient"].nunique()
    if len(patients) < 2 or patients.min() < 2:
        return None
    labels, groups = table["label"].tolist(), table["patient"].tolist()
    accuracy, border = (
        linear_probe.accuracy(measures[names].to_numpy(), labels, groups) for names in (STATISTICS, BORDER)
    )
    chance = float(table["label"].value_counts(normalize=True).max())
    return StatisticsProbe(accuracy=accuracy, chance=chance, border=border)


def find(probe: StatisticsProbe | None, table: pd.DataFrame) -> list[Issue]:
    """Return an issue if the accuracy from the borders alone is clearly above chance."""
    if probe is None or probe.border.low is None or probe.border.low <= probe.chance + MARGIN:
        return []
    sentence = msg(
        "A classifier that sees only size, aspect and the brightness of borders and corners is right in {accuracy:.0%} "
        "(95% interval {low:.0%} to {high:.0%}; chance {chance:.0%}): something outside the lungs is associated with "
        "the class.",
        accuracy=probe.border.value,
        low=probe.border.low,
        high=probe.border.high,
        chance=probe.chance,
    )
    return [issue(CONFOUNDER, "borders", sentence, examples(table))]
