"""Who trains, who validates, who tests."""

import math

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from cxrcore.errors import UserError

TRAIN, VALIDATION, TEST = "train", "validation", "test"


def check(table: pd.DataFrame) -> None:
    """Raise `UserError` when no classifier can be learned from `table`."""
    labels = sorted(table["label"].unique())
    if len(labels) < 2:
        raise UserError(
            f"A classifier needs at least two classes; this dataset has {labels or 'none'}. Import images of "
            f"another class, or map another finding to one."
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
            f"Class {label!r} has {count} patient{'s' if count > 1 else ''}; a split by patient needs at least "
            f"3, one each to train, validate and test. Add patients, or choose the random split, "
            f"whose result then says nothing about new patients."
        )
    part = pd.Series(TRAIN, index=table.index)
    part[_one_fold(table, test, seed)] = TEST
    rest = table[part == TRAIN]
    part[_one_fold(rest, validation, seed)] = VALIDATION
    return part


def tutorial(table: pd.DataFrame, test: float, validation: float, seed: int) -> pd.Series:
    """Return the tutorials' split: rows at random, one patient's images may be on both sides.

    `train_test_split(test_size, random_state)`, then the last rows of the training part, unshuffled, as
    Keras's `validation_split` takes them. The rows keep the order that training sees: see `order`.
    """
    check(table)
    train, tested = _shuffled(len(table), test, seed)
    part = pd.Series(TRAIN, index=table.index)
    part.iloc[tested] = TEST
    part.iloc[train[math.floor(len(train) * (1 - validation)) :]] = VALIDATION
    return part


def order(table: pd.DataFrame, kind: str, test: float, seed: int) -> np.ndarray:
    """Return row numbers in the order in which a part is to be read: the tutorials' own, else the table's."""
    if kind != "tutorial":
        return np.arange(len(table))
    return np.concatenate(_shuffled(len(table), test, seed))


def _shuffled(count: int, test: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    train, tested = train_test_split(np.arange(count), test_size=test, random_state=seed)
    return train, tested


def _one_fold(table: pd.DataFrame, share: float, seed: int) -> pd.Index:
    """Return the index of one fold of about `share` of the rows, stratified, whole patients.

    Folds are cut as finely as the smallest class has patients, and merged up to the share asked for, so
    that every class is on both sides.
    """
    folds = min(round(1 / share), int(table.groupby("label")["patient"].nunique().min()))
    splitter = StratifiedGroupKFold(n_splits=max(2, folds), shuffle=True, random_state=seed)
    best = None
    for _, rows in splitter.split(table, table["label"], table["patient"]):
        chosen = table.iloc[rows]
        missing = table["label"].nunique() - chosen["label"].nunique()
        score = (missing, abs(len(chosen) / len(table) - share))
        if best is None or score < best[0]:
            best = (score, chosen.index)
    assert best is not None
    return best[1]
