"""Patients in two parts of the given split, and classes of few patients."""

import pandas as pd

from cxrcore.audits.dataset.issues import LEAK, Issue, image_count, issue
from cxrcore.data.dataset import TEST, TRAIN, VALIDATION
from cxrcore.i18n import N_
from cxrcore.messages import msg

FEW = 10
TITLES = {"given split": N_("given split")}
_RANK = {TEST: 0, VALIDATION: 1, TRAIN: 2}  # a patient stays in the first of these, the smallest part


def leaks(table: pd.DataFrame) -> list[Issue]:
    """Return an issue if the split that the source gives puts a patient into two parts."""
    placed = table[table["given_split"] != ""]
    parts = placed.groupby("patient")["given_split"].nunique()
    patients = parts[parts > 1].index
    if patients.empty:
        return []
    rows = placed[placed["patient"].isin(patients)]
    sentence = msg(
        "{patients} of {all} patients have images in two parts of the given split ({images}): the model is tested on "
        "patients that it was trained on. Split by patient instead.",
        patients=len(patients),
        all=parts.size,
        images=image_count(len(rows)),
    )
    rank = rows["given_split"].map(_RANK)
    exclude = rows["row"][rank > rank.groupby(rows["patient"]).transform("min")]
    return [issue(LEAK, "given split", sentence, rows["row"], exclude)]


def small_classes(table: pd.DataFrame) -> dict[str, int]:
    """Return the classes with fewer than `FEW` patients and how many they have."""
    count = table.groupby("label")["patient"].nunique()
    return {str(label): int(patients) for label, patients in count[count < FEW].items()}
