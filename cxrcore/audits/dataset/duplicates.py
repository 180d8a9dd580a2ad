"""Repeated images: the same pixels, or a copy that was rescaled, compressed again or cropped."""

from itertools import chain

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cxrcore.audits.dataset.issues import EXACT, NEAR, Issue, image_count, issue
from cxrcore.data import exclusions
from cxrcore.data.near_duplicates import near_pairs
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg
from cxrcore.progress import StageProgress

_LEFT_OUT, _WITHIN, _ACROSS = "left out already", "inside a class", "across classes"
TITLES = {
    _LEFT_OUT: N_("left out at the import"),
    _WITHIN: N_("within a class"),
    _ACROSS: N_("across classes"),
}


def find(
    table: pd.DataFrame, left_out: pd.DataFrame, pixels: pd.Series, hashes: np.ndarray, progress: StageProgress
) -> list[Issue]:
    """Return issues of exact and near duplicates.

    Args:
        table: images in use, with `label`, `sha256`, `row` and `part` (of the split).
        left_out: the other rows; those that were left out as repeated are reported too.
        pixels: hashes of the pixels of `table`, row by row, "" for an image that could not be read.
        hashes: perceptual hashes of `table`, row by row, see `near_pairs`.
        progress: called while hashes are compared.
    """
    exact = _groups(len(table), _equal(pixels))
    same = np.arange(len(table))
    for group in exact:
        same[group] = group[0]
    pairs = near_pairs(hashes, progress)
    near = pairs[same[pairs[:, 0]] != same[pairs[:, 1]]]
    return [
        *_left_out_at_import(left_out),
        *_issues(EXACT, msg("the same pixels"), exact, table),
        *_issues(NEAR, msg("copies, rescaled, compressed again or cropped"), _groups(len(table), near), table),
    ]


def _equal(values: pd.Series) -> np.ndarray:
    """Return pairs of rows, int (pairs, 2), that connect those of equal values; "" equals none."""
    known = np.flatnonzero(values != "")
    codes = pd.factorize(values.iloc[known])[0]
    order = np.argsort(codes, kind="stable")
    next_is_equal = np.diff(codes[order]) == 0
    return np.stack([known[order[:-1][next_is_equal]], known[order[1:][next_is_equal]]], axis=1)


def _groups(count: int, pairs: np.ndarray) -> list[list[int]]:
    """Return the sets of at least two rows that are connected by `pairs`, int (pairs, 2), each sorted."""
    if not len(pairs):
        return []
    a, b = pairs.T
    _, name = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(count, count)), directed=False)
    rows = np.unique(pairs)  # the others are alone
    order = rows[np.argsort(name[rows], kind="stable")]
    ends = np.flatnonzero(np.diff(name[order])) + 1
    return [group.tolist() for group in np.split(order, ends)]


def _issues(kind: str, what: Message, groups: list[list[int]], table: pd.DataFrame) -> list[Issue]:
    labels = pd.factorize(table["label"])[0]
    several = [bool((labels[group] != labels[group[0]]).any()) for group in groups]
    within = [group for group, is_across in zip(groups, several, strict=True) if not is_across]
    across = [group for group, is_across in zip(groups, several, strict=True) if is_across]
    found = []
    if within:
        later = [row for group in within for row in group[1:]]
        advice = msg("Keep one of each; copies make the test easier than it seems.")
        found.append(_issue(kind, _WITHIN, what, advice, within, later, table))
    if across:
        advice = msg("The true class of these images is unknown.")
        found.append(_issue(kind, _ACROSS, what, advice, across, [*chain(*across)], table))
    return found


def _issue(
    kind: str,
    relation: str,
    what: Message,
    advice: Message,
    groups: list[list[int]],
    exclude: list[int],
    table: pd.DataFrame,
) -> Issue:
    rows = table["row"].to_numpy()
    parts = pd.factorize(table["part"])[0]
    split = sum(bool((parts[group] != parts[group[0]]).any()) for group in groups)
    members = [*chain(*groups)]
    sentence = msg(
        "{images}, {relation} (groups: {groups}): {what}. {advice}",
        images=image_count(len(members)),
        relation=Message(id=TITLES[relation]),
        groups=len(groups),
        what=what,
        advice=advice,
    )
    if split:
        sentence = msg(
            "{sentence} Groups in two parts of the split: {split}; the test includes images that were trained on.",
            sentence=sentence,
            split=split,
        )
    return issue(kind, relation, sentence, rows[members], rows[exclude], [rows[group] for group in groups])


def _left_out_at_import(left_out: pd.DataFrame) -> list[Issue]:
    same = exclusions.columns("repeated", exclusions.SAME_IMAGE)["left_out_reason"]
    repeated = left_out[(left_out["left_out_reason"] == same) | (left_out["left_out"] == "conflict")]
    if repeated.empty:
        return []
    sentence = msg("{images}, identical files, left out at the import.", images=image_count(len(repeated)))
    return [issue(EXACT, _LEFT_OUT, sentence, repeated["row"])]
