"""Who trains, who validates, who tests."""

import math
import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from cxrcore.data.dataset import PARTS, TEST, TRAIN, VALIDATION
from cxrcore.errors import UserError


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
            f"3, one each to train, validate and test. Add patients, or choose the random split ('tutorial'), "
            f"whose result then says nothing about new patients."
        )
    part = pd.Series(TRAIN, index=table.index)
    part[_one_fold(table, test, seed)] = TEST
    rest = table[part == TRAIN]
    part[_one_fold(rest, validation, seed)] = VALIDATION
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
        part[_one_fold(rest, validation, seed)] = VALIDATION
    return _complete(part, table)


def _complete(part: pd.Series, table: pd.DataFrame) -> pd.Series:
    """Return `part` if something can be learned and tested with it."""
    absent = set(table["label"]) - set(table["label"][part == TRAIN])
    empty = [name for name in PARTS if not (part == name).any()]
    if absent or empty:
        what = f"class {sorted(absent)[0]!r} has no image to train on" if absent else f"no image is left to {empty[0]}"
        raise UserError(f"The dataset is too small for this split: {what}. Add images, or change the shares.")
    return part


def _one_fold(table: pd.DataFrame, share: float, seed: int) -> pd.Index:
    """Return the index of one stratified fold of whole patients, of about `share` of the rows.

    Of the folds, the one with most classes on both sides is taken, then the one nearest to `share`: a class with few
    patients is then in some folds only.
    """
    count = min(round(1 / share), table["patient"].nunique(), int(table["label"].value_counts().max()))
    splitter = StratifiedGroupKFold(max(2, count), shuffle=True, random_state=seed)
    labels = table["label"].nunique()

    def misfit(rows: tuple[np.ndarray, np.ndarray]) -> tuple[int, float]:
        counts = [table["label"].iloc[side].nunique() for side in rows]
        return 2 * labels - sum(counts), abs(len(rows[1]) / len(table) - share)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        return table.index[min(splitter.split(table, table["label"], table["patient"]), key=misfit)[1]]
