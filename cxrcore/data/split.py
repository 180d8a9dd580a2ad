"""The split of a table into training, validation and test parts."""

import math
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from cxrcore.data.dataset import PARTS, TEST, TRAIN, VALIDATION
from cxrcore.errors import UserError
from cxrcore.messages import msg

TEST_SHARE, VALIDATION_SHARE, SEED = 0.2, 0.1, 0  # the usual split


def check(table: pd.DataFrame) -> None:
    """Raise `UserError` when `table` has fewer than two classes."""
    labels = sorted(table["label"].unique())
    if len(labels) < 2:
        raise UserError(
            "A classifier needs at least two classes; this dataset has {labels}. Import images of another "
            "class, or assign a class to another finding.",
            labels=labels or msg("none"),
        )


def by_patient(
    table: pd.DataFrame, test: float = TEST_SHARE, validation: float = VALIDATION_SHARE, seed: int = SEED
) -> pd.Series:
    """Return the part of each row: no patient is in two parts, and every class has images in every part.

    A class may lack in the validation part where its few patients have other classes too.

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
    return _checked(_divided(table, {TEST: test, VALIDATION: validation}, seed), table, in_test=True)


def tutorial(table: pd.DataFrame, test: float, validation: float, seed: int) -> pd.Series:
    """Return the tutorials' split: rows at random, so that a patient may be in two parts.

    `train_test_split(test_size, random_state)`, then the last rows of the training part, unshuffled, as Keras's
    `validation_split` takes them.

    Raises:
        UserError: one class.
    """
    check(table)
    train, tested = train_test_split(np.arange(len(table)), test_size=test, random_state=seed)
    part = pd.Series(TRAIN, index=table.index)
    part.iloc[tested] = TEST
    part.iloc[train[math.floor(len(train) * (1 - validation)) :]] = VALIDATION
    return _checked(part, table)


def given(table: pd.DataFrame, validation: float = VALIDATION_SHARE, seed: int = SEED) -> pd.Series:
    """Return the split that the source gives (`given_split`); images without a part are trained on.

    Where the source gives no validation images, `validation` of the training rows is used, by patient.

    Raises:
        UserError: one class, or the source gives no test images.
    """
    check(table)
    part = table["given_split"].replace("", TRAIN)
    if not (part == TEST).any():
        raise UserError(
            "This dataset gives no test images: no folder named test, and no column `split`. Choose the split "
            "by patient."
        )
    if not (part == VALIDATION).any():
        rest = part == TRAIN
        part[rest] = _divided(table[rest], {VALIDATION: validation}, seed)
    return _checked(part, table)


def fold(table: pd.DataFrame, number: int, count: int, validation: float, seed: int, images: bool = False) -> pd.Series:
    """Return the split that tests on fold `number` of `count`, of patients, or of single `images`.

    Every row is in the test part of one fold.

    Raises:
        UserError: one class, or a class is absent from the test or training part.
    """
    check(table)
    grouped = table.assign(patient=[str(k) for k in range(len(table))]) if images else table
    part = pd.Series(TRAIN, index=table.index)
    part[folds(list(grouped["label"]), list(grouped["patient"]), count, seed) == number] = TEST
    rest = part == TRAIN
    part[rest] = _divided(grouped[rest], {VALIDATION: validation}, seed)
    if absent := set(table["label"].unique()) - set(table["label"][part == TEST].unique()):
        raise UserError(
            "Class {label!r} has too few patients for {count} folds: it would be absent from the test images of a "
            "fold. Choose fewer folds.",
            label=sorted(absent)[0],
            count=count,
        )
    return _checked(part, table)


def folds(labels: Sequence[str], patients: Sequence[str], count: int, seed: int) -> np.ndarray:
    """Return the fold of each image, 0 to `count` - 1: whole patients, those of each class distributed at random."""
    table = pd.DataFrame({"label": labels, "patient": patients})
    images, of_class, order = _by_class(table, seed)
    fold = np.empty(len(images), int)
    fold[order[np.argsort(of_class[order], kind="stable")]] = np.arange(len(images)) % count
    of_image: np.ndarray = fold[pd.factorize(table["patient"], sort=True)[0]]
    return of_image


def _checked(part: pd.Series, table: pd.DataFrame, in_test: bool = False) -> pd.Series:
    """Return `part` if no part is empty and every class is in the training (with `in_test`, also test) part."""
    for name in (TRAIN, TEST) if in_test else (TRAIN,):
        if absent := set(table["label"].unique()) - set(table["label"][part == name].unique()):
            label = sorted(absent)[0]
            what = (
                msg("class {label!r} has no image to train on", label=label)
                if name == TRAIN
                else msg("class {label!r} has no image to test on", label=label)
            )
            raise _too_small(what)
    for name in PARTS:
        if not (part == name).any():
            raise _too_small(msg("no image is left in the {part} set", part=name))
    return part


def _too_small(what: object) -> UserError:
    return UserError("The dataset is too small for this split: {what}. Add images, or change the shares.", what=what)


def _divided(table: pd.DataFrame, shares: dict[str, float], seed: int) -> pd.Series:
    """Return the part of each row: whole patients with about `shares` of the rows of each class, the rest to train.

    Each share is of the rows that the parts before it leave. If a class is absent from a part, single patients are
    assigned first so that every class is in every part, as far as possible.
    """
    part = _by_share(table, shares, seed, {})
    parts = [*shares, TRAIN]
    if any(table["label"][part == name].nunique() < table["label"].nunique() for name in parts):
        part = _by_share(table, shares, seed, _covering(table, parts, seed))
    return part


def _by_share(table: pd.DataFrame, shares: dict[str, float], seed: int, assigned: dict[str, str]) -> pd.Series:
    part = pd.Series(TRAIN, index=table.index)
    for place, (name, share) in enumerate(shares.items()):
        rest = table[part == TRAIN]
        part[_patients(rest, share, len(shares) - place, seed, name, assigned)] = name
    return part


def _by_class(table: pd.DataFrame, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, by patient in the order of names, the images and the class of most; and a random order of patients."""
    (rows, patients), (columns, labels) = (pd.factorize(table[name], sort=True) for name in ("patient", "label"))
    counts = np.zeros((len(patients), len(labels)), int)
    np.add.at(counts, (rows, columns), 1)  # pandas's crosstab calls a function for each patient
    return counts.sum(axis=1), counts.argmax(axis=1), np.random.default_rng(seed).permutation(len(counts))


def _patients(table: pd.DataFrame, share: float, left: int, seed: int, name: str, assigned: dict[str, str]) -> pd.Index:
    """Return the index of whole patients for the part `name`, with about `share` of the rows of each class.

    A patient counts for the class of most of its images. Of each class, patients are taken in random order up to the
    one that comes nearest to the share; at least one is, and at least `left` are left, where there are that many. Those
    in `assigned` (part by patient) are in their part already.
    """
    images, of_class, order = _by_class(table, seed)
    rows, names = pd.factorize(table["patient"], sort=True)
    place = np.array([assigned.get(patient, "") for patient in names], object)
    taken = place == name
    for k in np.unique(of_class):
        own = order[of_class[order] == k]
        free = own[place[own] == ""]
        reached = images[own[taken[own]]].sum() + np.cumsum([0, *images[free]])
        nearest = int(np.abs(reached - share * images[own].sum()).argmin())
        if assigned:
            taken[free[:nearest]] = True
        elif len(own) > left:
            taken[own[: min(max(nearest, 1), len(own) - left)]] = True
    return table.index[taken[rows]]


def _covering(table: pd.DataFrame, parts: list[str], seed: int) -> dict[str, str]:
    """Return a part for some patients so that every class is in every part; {} if there is no such choice.

    A class of fewer patients than parts is trained on first, then tested on. If not all can be had, some classes are
    absent from the validation part, as few as possible.
    """
    shuffled = table.sample(frac=1, random_state=np.random.default_rng(seed))
    having = {str(label): list(patients.unique()) for label, patients in shuffled.groupby("label")["patient"]}
    ranked = [name for name in (TRAIN, TEST, VALIDATION) if name in parts]
    needed = [(label, name) for label, patients in having.items() for name in ranked[: len(patients)]]
    needed.sort(key=lambda need: len(having[need[0]]))
    optional = [need for need in needed if need[1] == VALIDATION]
    for count in range(len(optional) + 1):
        for dropped in combinations(optional, count):
            for assigned in _assignments([need for need in needed if need not in dropped], having, {}):
                return assigned
    return {}


def _assignments(
    needed: list[tuple[str, str]], having: dict[str, list[str]], assigned: dict[str, str]
) -> Iterator[dict[str, str]]:
    """Yield, by backtracking, the ways to give each class a patient in each part that it needs."""
    if not needed:
        yield assigned
        return
    (label, name), *rest = needed
    if any(assigned.get(patient) == name for patient in having[label]):
        yield from _assignments(rest, having, assigned)
        return
    for patient in having[label]:
        if patient not in assigned:
            yield from _assignments(rest, having, assigned | {patient: name})
