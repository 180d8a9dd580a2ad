"""Repeated images: the same pixels, or a copy that was rescaled, compressed again or cropped."""

from collections.abc import Iterable
from itertools import chain, pairwise

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


def find(table: pd.DataFrame, left_out: pd.DataFrame, measures: pd.DataFrame, progress: StageProgress) -> list[Issue]:
    """Return issues of exact and near duplicates.

    Args:
        table: images in use, with `label`, `sha256`, `row` and `part` (of the split).
        left_out: the other rows; those that were left out as repeated are reported too.
        measures: of `table`, row by row.
        progress: called while hashes are compared.
    """
    exact = _groups(len(table), _equal(measures["pixels"]))
    same = {row: group[0] for group in exact for row in group}
    pairs = near_pairs(measures["hashes"], progress)
    near = [(a, b) for a, b in pairs if same.get(a, a) != same.get(b, b)]
    return [
        *_left_out_at_import(left_out),
        *_issues(EXACT, msg("the same pixels"), exact, table),
        *_issues(NEAR, msg("copies, rescaled, compressed again or cropped"), _groups(len(table), near), table),
    ]


def _equal(values: pd.Series) -> Iterable[tuple[int, int]]:
    rows = pd.Series(values.index[values != ""])
    return chain.from_iterable(pairwise(same) for same in rows.groupby(values[rows].to_numpy()).agg(list))


def _groups(count: int, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the sets of at least two that are connected by `pairs`, each sorted."""
    listed = list(pairs)
    if not listed:
        return []
    a, b = np.array(listed).T
    _, name = connected_components(coo_array((np.ones(len(a)), (a, b)), shape=(count, count)), directed=False)
    members = pd.Series(range(count)).groupby(name).agg(list)
    return [group for group in members if len(group) > 1]


def _issues(kind: str, what: Message, groups: list[list[int]], table: pd.DataFrame) -> list[Issue]:
    within = [group for group in groups if table["label"].iloc[group].nunique() == 1]
    across = [group for group in groups if table["label"].iloc[group].nunique() > 1]
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
    split = sum(table["part"].iloc[group].nunique() > 1 for group in groups)
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
