"""Who trains, who validates, who tests."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from cxrcore.data.dataset import PARTS, TEST, TRAIN, VALIDATION
from cxrcore.errors import UserError
from cxrcore.messages import msg


def check(table: pd.DataFrame) -> None:
    """Raise `UserError` when no classifier can be learned from `table`."""
    labels = sorted(table["label"].unique())
    if len(labels) < 2:
        raise UserError(
            "A classifier needs at least two classes; this dataset has {labels}. Import images of another "
            "class, or map another finding to one.",
            labels=labels or "none",
        )


def by_patient(table: pd.DataFrame, test: float, validation: float, seed: int) -> pd.Series:
    """Return the part of each row: no patient is in two parts, classes are balanced between the parts.

    Args:
        table: rows with `label` and `patient`.
        test: share of all rows to test on, over 0, at most 0.5.
        validation: share of the remaining rows to validate on, over 0, at most 0.5.
        seed: the same seed gives the same parts.

    Raises:
        UserError: one class, or a class with fewer than three patients (one for each part).
    """
    check(table)
    patients = table.groupby("label")["patient"].nunique()
    for label, count in patients[patients < 3].items():
        raise UserError(
            "Class {label!r} has too few patients ({count}); a split by patient needs at least 3, one each to train, "
            "validate and test. Add patients, or choose the random split ('tutorial'), whose result then "
            "says nothing about new patients.",
            label=label,
            count=count,
        )
    part = pd.Series(TRAIN, index=table.index)
    part[_patients(table, test, 2, seed)] = TEST
    rest = table[part == TRAIN]
    part[_patients(rest, validation, 1, seed)] = VALIDATION
    return _complete(part, table)


def tutorial(table: pd.DataFrame, test: float, validation: float, seed: int) -> pd.Series:
    """Return the tutorials' split: rows at random, one patient's images may be on both sides.

    `train_test_split(test_size, random_state)`, then the last rows of the training part, unshuffled, as
    Keras's `validation_split` takes them.

    Raises:
        UserError: one class.
    """
    check(table)
    train, tested = train_test_split(np.arange(len(table)), test_size=test, random_state=seed)
    part = pd.Series(TRAIN, index=table.index)
    part.iloc[tested] = TEST
    part.iloc[train[math.floor(len(train) * (1 - validation)) :]] = VALIDATION
    return _complete(part, table)


def given(table: pd.DataFrame, validation: float, seed: int) -> pd.Series:
    """Return the split that the source gives (`given_split`); images without a part are trained on.

    Where the source gives nothing to validate on, `validation` of the training rows is set aside, by patient.

    Raises:
        UserError: one class, or the source gives nothing to test on.
    """
    check(table)
    part = table["given_split"].replace("", TRAIN)
    if not (part == TEST).any():
        raise UserError(
            "This dataset gives no images to test on: no folder named test, and no column `split`. Choose the split "
            "by patient."
        )
    if not (part == VALIDATION).any():
        rest = table[part == TRAIN]
        part[_patients(rest, validation, 1, seed)] = VALIDATION
    return _complete(part, table)


def fold(table: pd.DataFrame, number: int, count: int, validation: float, seed: int, images: bool = False) -> pd.Series:
    """Return the split that tests on fold `number` of `count`, of patients, or of single `images`; every row is tested
    on in one fold.

    Raises:
        UserError: one class, or a fold or what is left of it lacks one.
    """
    check(table)
    grouped = table.assign(patient=[str(k) for k in range(len(table))]) if images else table
    part = pd.Series(TRAIN, index=table.index)
    part[folds(list(grouped["label"]), list(grouped["patient"]), count, seed) == number] = TEST
    rest = grouped[part == TRAIN]
    part[_patients(rest, validation, 1, seed)] = VALIDATION
    if absent := set(table["label"]) - set(table["label"][part == TEST]):
        raise UserError(
            "Class {label!r} has too few patients for {count} folds: one would not be tested on it. Choose fewer.",
            label=sorted(absent)[0],
            count=count,
        )
    return _complete(part, table)


def _complete(part: pd.Series, table: pd.DataFrame) -> pd.Series:
    """Return `part` if something can be learned and tested with it."""
    absent = set(table["label"]) - set(table["label"][part == TRAIN])
    empty = [name for name in PARTS if not (part == name).any()]
    if absent or empty:
        what = (
            msg("class {label!r} has no image to train on", label=sorted(absent)[0])
            if absent
            else msg("no image is left in the part {part}", part=empty[0])
        )
        raise UserError("The dataset is too small for this split: {what}. Add images, or change the shares.", what=what)
    return part


def folds(labels: Sequence[str], patients: Sequence[str], count: int, seed: int) -> np.ndarray:
    """Return the fold of each image, 0 to `count` - 1: whole patients; of each class, they are dealt out at random."""
    table = pd.DataFrame({"label": labels, "patient": patients})
    images, of_class, order = _by_class(table, seed)
    fold = np.empty(len(images), int)
    fold[order[np.argsort(of_class[order], kind="stable")]] = np.arange(len(images)) % count
    return fold[pd.factorize(table["patient"], sort=True)[0]]


def _by_class(table: pd.DataFrame, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, by patient in the order of names, the images and the class of most; and a random order of patients."""
    counts = pd.crosstab(table["patient"], table["label"]).to_numpy()
    return counts.sum(axis=1), counts.argmax(axis=1), np.random.default_rng(seed).permutation(len(counts))


def _patients(table: pd.DataFrame, share: float, left: int, seed: int) -> pd.Index:
    """Return the index of whole patients with about `share` of the rows of each class.

    A patient counts for the class of most of its images. Of each class, patients are taken in random order up to the
    one that comes nearest to the share; at least one is, and at least `left` are left, where there are that many.
    """
    images, of_class, order = _by_class(table, seed)
    taken = np.zeros(len(images), bool)
    for k in np.unique(of_class):
        own = order[of_class[order] == k]
        if len(own) > left:
            reached = np.cumsum(images[own])
            nearest = int(np.abs(reached - share * reached[-1]).argmin()) + 1
            taken[own[: min(nearest, len(own) - left)]] = True
    return table.index[taken[pd.factorize(table["patient"], sort=True)[0]]]
