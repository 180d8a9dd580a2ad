"""Can the class be told without looking at the lungs? A linear classifier on 20 trivial statistics, by patient.

All 20 hold the histogram of the whole image, which disease changes too; the finding rests on the 11 of the borders,
corners and geometry alone.
"""

from typing import Any

import pandas as pd

from cxrcore.audits.dataset.issues import CONFOUND, Issue
from cxrcore.data.image_statistics import BORDER, STATISTICS
from cxrcore.evaluation import linear_probe
from cxrcore.messages import msg

MARGIN = 0.05


def measure(table: pd.DataFrame, measures: pd.DataFrame) -> dict[str, Any] | None:
    """Return `accuracy`, `ci95`, `n`, `chance` and, under `border`, the same from borders alone.

    None where nothing can be cross-validated: one class, or a class of one patient.
    """
    read = measures["mean"].notna()
    table, measures = table[read], measures[read]
    patients = table.groupby("label")["patient"].nunique()
    if len(patients) < 2 or patients.min() < 2:
        return None
    chance = float(table["label"].value_counts(normalize=True).max())
    found, border = (
        linear_probe.measure(measures[names].to_numpy(), table["label"], table) for names in (STATISTICS, BORDER)
    )
    return found | {"chance": chance, "border": border}


def find(found: dict[str, Any] | None, table: pd.DataFrame) -> list[Issue]:
    """Return a finding if the borders alone tell the class clearly better than chance."""
    if not found or found["border"]["ci95"][0] <= found["chance"] + MARGIN:
        return []
    border = found["border"]
    low, high = border["ci95"]
    sentence = msg(
        "From size, aspect and the brightness of borders and corners alone, the class can be told in {accuracy:.0%} "
        "(95% interval {low:.0%} to {high:.0%}; chance {chance:.0%}): something outside of the lungs goes with the "
        "class.",
        accuracy=border["accuracy"], low=low, high=high, chance=found["chance"],
    )  # fmt: skip
    return [Issue(CONFOUND, "borders", sentence, list(table.groupby("label").head(4)["row"]))]
