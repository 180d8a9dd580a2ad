"""McNemar's test of the chosen runs against one of them, and the images on which two of them disagree."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from cxrcore.data import classes
from cxrcore.evaluation import mcnemar, reported
from cxrcore.evaluation.mcnemar import Disagreements
from cxrcore.evaluation.metrics import certainty
from cxrcore.i18n import nt, t, translate
from cxrcore.messages import Message
from cxrcore.runs import Run
from cxrcore.runs.run import RESAMPLING_TABLE
from cxrcore.ui import feedback, gallery, query_params, sample_view

_MOST = 8  # runs beside the baseline
_EACH = 4  # images of each side


def show(chosen: Sequence[Run], labels: dict[str, str]) -> None:
    """Show the tests of the runs that have results, each with some of the images that tell the two apart."""
    tested = {run.name: run for run in chosen if run.metrics}
    if len(tested) < 2:
        st.info(t("Only runs with results can be compared image by image."), icon=":material/info:")
        return
    st.subheader(t("McNemar's test"))
    st.caption(t("Compares two runs on the images that both were tested on."))
    names = list(tested)
    baseline = query_params.selectbox(st.container(), t("Baseline"), "baseline", names, labels.__getitem__)
    others = [run for run in tested.values() if run.name != baseline]
    for number, run in enumerate(others[:_MOST]):
        with feedback.friendly():
            sentence, found = _compared(tested[baseline], run, _written(tested[baseline]), _written(run))
            st.markdown(f"**{feedback.plain_text(labels[run.name])}**: {feedback.plain_text(translate(sentence))}")
            _images(tested[baseline], run, found, number)
    if len(others) > _MOST:
        st.caption(t("The first {n} runs are compared; choose fewer to compare others.", n=_MOST))
    if len(tested) > 2:
        st.caption(t("Of several comparisons, one in twenty has p below 0.05 by chance: consider all of them."))
    if len({(str(run.config.split), run.config.resampling.kind) for run in tested.values()}) > 1:
        st.caption(
            t(
                "These runs were split differently: a test image of one may be a training image of another. The test "
                "uses only images that both were tested on."
            )
        )


@st.cache_data(max_entries=64, show_spinner=False)
def _compared(first: Run, second: Run, *written: tuple[int, ...]) -> tuple[Message, Disagreements]:
    """Return the sentence and the first images of each side; `written` tells when the predictions were written."""
    found = mcnemar.disagreements(first, second)
    return mcnemar.compare(first, second).sentence, found


def _written(run: Run) -> tuple[int, ...]:
    files = [run.folder / "predictions.parquet", run.resampling_file(RESAMPLING_TABLE)]
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files)


def _images(baseline: Run, other: Run, found: Disagreements, number: int) -> None:
    """Show some images that only the baseline, and some that only the other run predicts correctly; a click opens one
    large, with the predictions of both. `number` is that of the comparison.
    """
    count = len(found.only_first) + len(found.only_second)
    if not count:
        return
    title = nt("{n} image on which they disagree", "{n} images on which they disagree", count)
    key = f"disagree {baseline.name} {other.name}"
    linked = {f"first{number}", f"second{number}"} & set(st.query_params)
    box = st.expander(title, expanded=number == 0 or bool(linked), key=key, on_change="rerun")
    if not box.open:
        return
    first, second = found.only_first, found.only_second
    sides = {
        f"first{number}": (t("Correct only in the baseline ({n})", n=len(first)), first),
        f"second{number}": (t("Correct only in the other run ({n})", n=len(second)), second),
    }
    for column, (name, (heading, rows)) in zip(box.columns(2), sides.items(), strict=True):
        with column:
            st.markdown(f"**{heading}**")
            if rows.empty:
                st.caption("–")
            else:
                _side(baseline, other, rows, name)


def _side(baseline: Run, other: Run, rows: pd.DataFrame, name: str) -> None:
    cards = [_card(row) for _, row in rows.head(_EACH).iterrows()]
    clicked = gallery.show(cards, baseline.classes, key=f"{name} {baseline.name} {other.name}")
    sample_view.show(range(len(rows)), clicked, lambda place: _sample(baseline, other, rows.iloc[place]), name)


def _sample(baseline: Run, other: Run, row: "pd.Series[Any]") -> sample_view.Sample:
    tables = reported.load(baseline).table, reported.load(other).table
    return sample_view.of_runs(
        [(baseline, tables[0], int(row["row_first"])), (other, tables[1], int(row["row_second"]))]
    )


def _card(row: "pd.Series[object]") -> gallery.Card:
    lines = (
        t("baseline: {answer}", answer=_answer(row, "first")),
        t("other run: {answer}", answer=_answer(row, "second")),
    )
    label = str(row["label"])
    return gallery.Card(str(row["path"]), label, t("true {label}", label=classes.label(label)), lines)


def _answer(row: "pd.Series[object]", which: str) -> str:
    name = classes.isolated(classes.label(str(row[f"predicted_{which}"])))
    return f"{name} {certainty(float(str(row[f'confidence_{which}'])))}"
