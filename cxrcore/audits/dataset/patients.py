"""Patients on both sides of a split, and classes of few patients."""

import pandas as pd

from cxrcore.audits.dataset.issues import LEAK, Issue, images
from cxrcore.data.dataset import TEST, TRAIN, VALIDATION
from cxrcore.messages import msg

FEW = 10
_RANK = {TEST: 0, VALIDATION: 1, TRAIN: 2}  # a patient stays in the first of these, as it is the rarest


def leaks(table: pd.DataFrame) -> list[Issue]:
    """Return a finding if the split that the source gives puts a patient into two parts."""
    placed = table[table["given_split"] != ""]
    parts = placed.groupby("patient")["given_split"].nunique()
    patients = parts[parts > 1].index
    if patients.empty:
        return []
    rows = placed[placed["patient"].isin(patients)]
    sentence = msg(
        "{patients} of {all} patients have images in two parts of the given split ({images}): a model is tested on "
        "people it knows. Split by patient instead.",
        patients=len(patients), all=parts.size, images=images(len(rows)),
    )  # fmt: skip
    kept = rows.assign(rank=rows["given_split"].map(_RANK)).groupby("patient")["rank"].transform("min")
    exclude = rows[rows["given_split"].map(_RANK) > kept]
    return [Issue(LEAK, "given split", sentence, list(rows["row"]), list(exclude["row"]))]


def small_classes(table: pd.DataFrame) -> dict[str, int]:
    """Return the classes with fewer than `FEW` patients and how many they have."""
    count = table.groupby("label")["patient"].nunique()
    return {str(label): int(patients) for label, patients in count[count < FEW].items()}
