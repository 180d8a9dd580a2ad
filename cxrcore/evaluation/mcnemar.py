"""Two runs on the same test images: which is right where the other is not, and whether that may be chance."""

from typing import Any

import numpy as np
from scipy.stats import binomtest

from cxrcore.i18n import N_
from cxrcore.messages import msg
from cxrcore.runs import Run

ALPHA = 0.05


def mcnemar(first: np.ndarray, second: np.ndarray) -> dict[str, Any]:
    """Return McNemar's exact test of two classifiers on the same images.

    Of the images that only one of them has right, each would have half by chance: `p` is the two-sided binomial
    probability (McNemar 1947, doi:10.1007/BF02295996; Edwards 1948 for small counts).

    Args:
        first: whether the first is right, bool (n,).
        second: the same of the second.
    """
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    apart = only_first + only_second
    return {
        "n": len(first),
        "both": int((first & second).sum()),
        "only_first": only_first,
        "only_second": only_second,
        "neither": int((~first & ~second).sum()),
        "p": float(binomtest(only_first, apart).pvalue) if apart else 1.0,
    }


def compare(first: Run, second: Run) -> dict[str, Any]:
    """Return `mcnemar` of two runs on the images that both were tested on, and the `sentence` that says it.

    Raises:
        UserError: one of them has no results.
    """
    _ = first.results, second.results
    tables = [
        run.predictions("test").drop_duplicates("sha256")[["sha256", "correct", "patient"]] for run in (first, second)
    ]
    both = tables[0].merge(tables[1], on="sha256", suffixes=("_first", "_second"))
    found = mcnemar(both["correct_first"].to_numpy(), both["correct_second"].to_numpy())
    found |= {"tested": [len(table) for table in tables], "patients": int(both["patient_first"].nunique())}
    return found | {"sentence": _sentence(found)}


def _sentence(found: dict[str, Any]) -> str:
    if not found["n"]:
        return N_("They were tested on no image in common, so they cannot be compared image by image.")
    counts = {name: found[name] for name in ("n", "only_first", "only_second", "p")}
    if found["only_first"] == found["only_second"]:
        return msg(
            "Of {n} images tested by both, each has {only_first} right that the other has wrong: nothing speaks for "
            "either.",
            n=found["n"], only_first=found["only_first"],
        )  # fmt: skip
    text = msg(
        "Of {n} images tested by both, only the baseline has {only_first} right and only the other {only_second} "
        "(McNemar's exact test, p = {p:.3g}).",
        **counts,
    )
    if found["p"] >= ALPHA:
        return msg("{text} A difference like this may well be chance.", text=text)
    better = N_("the baseline") if found["only_first"] > found["only_second"] else N_("the other")
    text = msg(
        "{text} So small a p is rarely chance: {better} is better on images like these.", text=text, better=better
    )
    if found["patients"] == found["n"]:
        return text
    return msg(
        "{text} But several images come from one patient ({patients} patients), which the test does not know: p is too "
        "small.",
        text=text, patients=found["patients"],
    )  # fmt: skip
