"""The same picture more than once: the same pixels, or a copy that was rescaled, compressed again or cropped."""

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cxrcore.audits.dataset.issues import EXACT, NEAR, Issue, images
from cxrcore.audits.dataset.measurements import Progress
from cxrcore.data.image_statistics import bits
from cxrcore.data.perceptual_hashes import BITS, CROPS
from cxrcore.i18n import N_
from cxrcore.messages import msg

# Of 256 bits. Copies at half size, at JPEG quality 50 or without a twentieth of a side differ by up to 10 in 99 of 100;
# the nearest two of 2,000 phantoms differ by 12, two different patients of the real sets by 40 and more.
NEAR_BITS = 10
_BLOCK = 1000
# Above this many images only whole images are compared, as time grows with the square: 100,000 would take half an hour.
MOST_WITH_CROPS = 30_000


def find(table: pd.DataFrame, left_out: pd.DataFrame, measures: pd.DataFrame, progress: Progress) -> list[Issue]:
    """Return findings on exact and near duplicates.

    Args:
        table: images in use, with `label`, `sha256`, `row` and `part` (of the split).
        left_out: the other rows; those that were left out as repeated count as found.
        measures: of `table`, row by row.
        progress: called while hashes are compared.
    """
    exact = _groups(len(table), _equal(measures["pixels"]))
    same = {row: group[0] for group in exact for row in group}
    pairs = near_pairs(measures["hashes"], progress)
    near = [(a, b) for a, b in pairs if same.get(a, a) != same.get(b, b)]
    found = _already_left_out(left_out)
    found += _findings(EXACT, N_("the same pixels"), exact, table)
    found += _findings(NEAR, N_("copies, rescaled, compressed again or cropped"), _groups(len(table), near), table)
    return found


def near_pairs(hashes: Sequence[str], progress: Progress) -> list[tuple[int, int]]:
    """Return the pairs (a, b), a < b, of which one's whole image looks like the other's or like a crop of it."""
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


def _findings(kind: str, what: str, groups: list[list[int]], table: pd.DataFrame) -> list[Issue]:
    inside = [group for group in groups if table["label"].iloc[group].nunique() == 1]
    across = [group for group in groups if table["label"].iloc[group].nunique() > 1]
    found = []
    if inside:
        later = [row for group in inside for row in group[1:]]
        advice = N_("One of each is enough; the others make a test easier than it seems.")
        found.append(_finding(kind, N_("inside a class"), what, advice, inside, later, table))
    if across:
        advice = N_("Which class is true cannot be known from here.")
        found.append(_finding(kind, N_("across classes"), what, advice, across, [*chain(*across)], table))
    return found


def _finding(
    kind: str, relation: str, what: str, advice: str, groups: list[list[int]], exclude: list[int], table: pd.DataFrame
) -> Issue:
    rows = table["row"].to_numpy()
    split = sum(table["part"].iloc[group].nunique() > 1 for group in groups)
    members = [*chain(*groups)]
    sentence = msg(
        "{images}, {relation} (groups: {groups}): {what}. {advice}",
        images=images(len(members)), relation=relation, groups=len(groups), what=what, advice=advice,
    )  # fmt: skip
    if split:
        sentence = msg(
            "{sentence} Groups on both sides of the split: {split}, so that the test is on what was learned.",
            sentence=sentence, split=split,
        )  # fmt: skip
    return Issue(kind, relation, sentence, rows[members], rows[exclude], [rows[group] for group in groups])


def _already_left_out(left_out: pd.DataFrame) -> list[Issue]:
    again = left_out[left_out["left_out"].str.startswith(("repeated: the same picture", "conflict"))]
    if again.empty:
        return []
    sentence = msg("{images}, the same byte by byte as another, left out at the import.", images=images(len(again)))
    return [Issue(EXACT, "left out already", sentence, list(again["row"]))]
