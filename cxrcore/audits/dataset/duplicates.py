"""Repeated images: the same pixels, or a copy that was rescaled, compressed again or cropped."""

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cxrcore.audits.dataset.issues import EXACT, NEAR, Issue, image_count, issue
from cxrcore.data import exclusions
from cxrcore.data.image_statistics import bits
from cxrcore.data.perceptual_hashes import BITS, CROPS
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg
from cxrcore.progress import StageProgress

STAGE = {"comparing": N_("Comparing images")}
_LEFT_OUT, _WITHIN, _ACROSS = "left out already", "inside a class", "across classes"
TITLES = {
    _LEFT_OUT: N_("left out at the import"),
    _WITHIN: N_("within a class"),
    _ACROSS: N_("across classes"),
}
# Of 256 bits. Copies at half size, at JPEG quality 50 or without a twentieth of a side differ by up to 10 in 99 of 100;
# the nearest two of 2,000 phantoms differ by 12, two different patients of the real sets by 40 and more.
NEAR_BITS = 10
_BLOCK = 1000
# Above this many images only whole images are compared, as time grows with the square: 100,000 would take half an hour.
MOST_WITH_CROPS = 30_000


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


def near_pairs(hashes: Sequence[str], progress: StageProgress) -> list[tuple[int, int]]:
    """Return the pairs (a, b), a < b, where a whole image looks like the other or like a crop of it."""
    packed = np.stack([bits(text) for text in hashes])
    crops = range(CROPS) if len(packed) <= MOST_WITH_CROPS else [0]
    blank = ~np.any(packed[:, 0], axis=1)
    whole = _signs(packed[:, 0])
    found: set[tuple[int, int]] = set()
    for done, start in enumerate(range(0, len(packed), _BLOCK)):
        block = packed[start : start + _BLOCK]
        for crop in crops:
            # Of two sequences of n signs that differ in d places the product is n - 2d.
            distances = (BITS - _signs(block[:, crop]) @ whole.T) / 2
            a, b = np.nonzero(distances <= NEAR_BITS)
            found |= {(min(i, j), max(i, j)) for i, j in zip((a + start).tolist(), b.tolist(), strict=True) if i != j}
        progress("comparing", min((done + 1) * _BLOCK, len(packed)), len(packed))
    return sorted((a, b) for a, b in found if not blank[a] and not blank[b])


def _signs(packed: np.ndarray) -> np.ndarray:
    return np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1


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
