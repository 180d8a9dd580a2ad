"""McNemar's test of two runs on the same test images."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from cxrcore.evaluation import reported
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.i18n import N_
from cxrcore.messages import Message, msg
from cxrcore.runs import Run

ALPHA = 0.05


@dataclass(frozen=True)
class McNemar:
    """How many of `n` images both classifiers predict correctly, only one of them, or neither; `p` is two-sided."""

    n: int
    both: int
    only_first: int
    only_second: int
    neither: int
    p: float


@dataclass(frozen=True)
class PairedComparison:
    """McNemar's test of two runs.

    Attributes:
        test: on the images that both runs were tested on, with the same label.
        tested: the number of different test images of each run.
        patients: of the images in `test`.
        relabelled: images that both runs were tested on, left out as their labels differ.
        sentence: the result in words.
    """

    test: McNemar
    tested: tuple[int, int]
    patients: int
    relabelled: int
    sentence: Message


@dataclass(frozen=True)
class Disagreements:
    """The images that only one of two runs predicts correctly, those first of which the other is most certain.

    One row an image: `path`, `sha256`, `label`, and of each run, with `_first` or `_second` at the end, `predicted`,
    its probability `confidence`, 0 to 1, and `row`, the number in the run's reported predictions (see `reported.load`).
    """

    only_first: pd.DataFrame
    only_second: pd.DataFrame


def mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
    """Return McNemar's exact test of two classifiers on the same images.

    Of the images that only one of them predicts correctly, each would have half by chance: `p` is the two-sided
    binomial probability (McNemar 1947, doi:10.1007/BF02295996; Edwards 1948 for small counts).

    Args:
        first: whether the first is correct, bool (n,).
        second: whether the second is correct, bool (n,).
    """
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    discordant = only_first + only_second
    return McNemar(
        n=len(first),
        both=int((first & second).sum()),
        only_first=only_first,
        only_second=only_second,
        neither=int((~first & ~second).sum()),
        p=float(binomtest(only_first, discordant).pvalue) if discordant else 1.0,
    )


def compare(first: Run, second: Run) -> PairedComparison:
    """Return McNemar's test of two runs on the images that both were tested on; those of all folds of k-fold
    cross-validation, as each is predicted by a model that did not see it.

    Images whose label was edited between the runs are left out: what is correct differs, whatever is predicted.

    Raises:
        UserError: one of them has no results.
    """
    _ = first.results, second.results
    tables = _tested(first), _tested(second)
    paired = _paired(*tables)
    same = paired[paired["label_first"] == paired["label_second"]]
    test = mcnemar(same["correct_first"].to_numpy(bool), same["correct_second"].to_numpy(bool))
    patients, relabelled = int(same["patient_first"].nunique()), len(paired) - len(same)
    sentence = _sentence(test, patients, relabelled)
    return PairedComparison(test, (len(tables[0]), len(tables[1])), patients, relabelled, sentence)


def disagreements(first: Run, second: Run) -> Disagreements:
    """Return the images behind `only_first` and `only_second` of `compare`.

    Raises:
        UserError: one of the runs has no results.
    """
    _ = first.results, second.results
    paired = _paired(_with_answers(first), _with_answers(second))
    same = paired[paired["label_first"] == paired["label_second"]].rename(
        columns={"label_first": "label", "path_first": "path"}
    )
    correct = same["correct_first"].to_numpy(bool), same["correct_second"].to_numpy(bool)
    return Disagreements(
        same[correct[0] & ~correct[1]].sort_values("confidence_second", ascending=False, kind="stable"),
        same[correct[1] & ~correct[0]].sort_values("confidence_first", ascending=False, kind="stable"),
    )


def _tested(run: Run) -> pd.DataFrame:
    """Return one row for each image that the run was tested on, in any fold of k-fold cross-validation."""
    return reported.load(run).table.drop_duplicates("sha256")[["sha256", "label", "correct", "patient"]]


def _with_answers(run: Run) -> pd.DataFrame:
    table = reported.load(run).table
    confidence = table[probability_columns(run.classes)].max(axis=1)
    found = table.assign(confidence=confidence, row=np.arange(len(table))).drop_duplicates("sha256")
    return found[["sha256", "path", "label", "correct", "predicted", "confidence", "row"]]


def _paired(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    return first.merge(second, on="sha256", suffixes=("_first", "_second"))


def _sentence(test: McNemar, patients: int, relabelled: int) -> Message:
    sentence = _result(test, patients)
    if not relabelled:
        return sentence
    return msg(
        "{sentence} {relabelled} images were left out because their label differs between the two runs.",
        sentence=sentence,
        relabelled=relabelled,
    )


def _result(test: McNemar, patients: int) -> Message:
    if not test.n:
        return msg("The two runs have no test image in common, so they cannot be compared image by image.")
    if test.only_first == test.only_second:
        return msg(
            "Of {n} images that both runs were tested on, each run is correct on {count} where the other is wrong: no "
            "evidence of a difference.",
            n=test.n,
            count=test.only_first,
        )
    counts = msg(
        "Of {n} images that both runs were tested on, {only_first} are correct only in the baseline and {only_second} "
        "only in the other run (McNemar's exact test, p = {p:.3g}).",
        n=test.n,
        only_first=test.only_first,
        only_second=test.only_second,
        p=test.p,
    )
    if test.p >= ALPHA:
        return msg("{sentence} A difference like this may be due to chance.", sentence=counts)
    better = msg(N_("the baseline") if test.only_first > test.only_second else N_("the other run"))
    result = msg(
        "{sentence} The difference is significant at the 5% level: {better} is better on images like these.",
        sentence=counts,
        better=better,
    )
    if patients == test.n:
        return result
    return msg(
        "{sentence} The images come from only {patients} patients, and the test treats images as independent: p is too "
        "small.",
        sentence=result,
        patients=patients,
    )
