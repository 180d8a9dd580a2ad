"""The sample of images on which an audit runs: bounded in time, and ordered so that it can grow.

The order is fixed by the seed, so all audits of a run share the images of a sample, and their cached features.
"""

from collections.abc import Sequence

import pandas as pd

from cxrcore.features import backbones
from cxrcore.features.config import FeatureConfig

SECONDS = 100  # of an audit, in the backbone on two laptop cores
MOST = 1000  # images of which pixels are read
LARGEST, SMALLEST = 250, 40  # images of the first sample that passes the backbone, however fast or slow it is
# Patients of each class that come first, so that the smallest sample can be cross-validated.
FIRST_PATIENTS = 5
PER_PATIENT = 8  # further images of a patient come last: one patient must not fill a sample


def images_within(config: FeatureConfig, seconds: float) -> float:
    """Return how many images pass the backbone in so many seconds, by the table of backbones.

    It does not depend on the machine, so that a sample does not.
    """
    return backbones.get(config.backbone).rate_at(config.size) * seconds


def size(config: FeatureConfig, passes: int) -> int:
    """Return the number of images with which `passes` through the backbone take about `SECONDS`, within limits."""
    return round(min(LARGEST, max(SMALLEST, images_within(config, SECONDS) / passes)))


def ordered(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return the rows of `table` (`label`, `patient`) so that the first ones are a sample, stratified by class.

    Patients are whole: the images of one follow each other, except those after the `PER_PATIENT`th, which come last.
    The first `FIRST_PATIENTS` of each class come first; after them the classes alternate by their shares.
    """
    shuffled = table.reset_index(drop=True).sample(frac=1, random_state=seed)
    place = shuffled.groupby("patient").cumcount()
    patients = shuffled[place == 0].set_index("patient")["label"]
    of_class = patients.groupby(patients).cumcount()
    share = (of_class + 0.5) / patients.map(patients.value_counts())
    share[of_class < FIRST_PATIENTS] = 0
    order = pd.DataFrame({"last": place >= PER_PATIENT, "share": shuffled["patient"].map(share)})
    # Patients of equal share in their shuffled order, each with all images.
    order["patient"] = pd.factorize(shuffled["patient"])[0]
    return shuffled.loc[order.sort_values(["last", "share", "patient"], kind="stable").index]


def first(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return about the first `count` of `rows`, see `ordered`: to the end of a patient."""
    if count >= len(rows):
        return rows
    patients = rows["patient"].to_numpy()
    while count < len(rows) and patients[count] == patients[count - 1]:
        count += 1
    return rows.iloc[:count]


def looks(rows: pd.DataFrame, counts: Sequence[int]) -> list[pd.DataFrame]:
    """Return the samples of about `counts` images, each larger than the one before; those that are not are left out."""
    found: list[pd.DataFrame] = []
    for count in counts:
        sample = first(rows, count)
        if not found or len(sample) > len(found[-1]):
            found.append(sample)
    return found
