"""External validation: the run tested on other datasets."""

from functools import partial
from itertools import cycle
from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore import settings
from cxrcore.data import classes, dataset
from cxrcore.evaluation import external
from cxrcore.evaluation.external import ExternalEvaluation
from cxrcore.evaluation.metrics import reported
from cxrcore.figures import formatting
from cxrcore.i18n import t, translate
from cxrcore.runs import Run
from cxrcore.ui import computing, feedback, gallery, progress

_PAIRS = 6  # on a page


def show(run: Run) -> None:
    """Show the evaluations of a run on other datasets, and offer one more."""
    st.subheader(t("External validation"))
    found = external.load_all(run)
    for evaluation in found:
        _result(run, evaluation)
    if not found:
        st.caption(
            t(
                "Accuracy on one mix of sources says little about another hospital. Test this run on a dataset from "
                "elsewhere; images that the run already has, and copies of them, are left out."
            )
        )
    if settings.read_only():
        return
    names = [name for name in dataset.names() if name != run.config.dataset]
    if not names:
        st.caption(t("There is no other dataset. Add one on the Data page."))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(t("External dataset"), names, width=300)
        pressed = st.button(t("Run external validation"), icon=":material/fact_check:")
    include = st.checkbox(
        t("Include duplicates"),
        help=t("Also test images that the run has, and copies of them: the accuracy is then too high."),
    )
    if pressed:
        with feedback.friendly():
            stages = {code: translate(title) for code, title in external.STAGES.items()}
            evaluate = partial(external.evaluate, include_duplicates=include)
            computing.compute(t("Testing the run"), evaluate, run, name, progress=progress.stages(stages))
            st.rerun()
    if name not in {evaluation.dataset for evaluation in found}:
        _duplicates(run, name)  # of a test for which no image was left


def _result(run: Run, evaluation: ExternalEvaluation) -> None:
    metrics = evaluation.metrics
    with st.container(border=True):
        feedback.numbers(
            {
                t("Accuracy on {dataset}", dataset=feedback.plain_text(evaluation.dataset)): formatting.percent(
                    metrics.accuracy
                ),
                t("95% interval"): formatting.interval(metrics.accuracy),
                t("Correct"): t("{right} of {n}", right=metrics.accuracy.successes, n=metrics.n),
                t("Patients"): metrics.patients,
            }
        )
        for message in (evaluation.sentence, *evaluation.checks):
            st.markdown(feedback.plain_text(translate(message)))
        _duplicates(run, evaluation.dataset)
        if notes := _notes(evaluation):
            st.caption(feedback.plain_text(" ".join(notes)))
        rows = [
            {
                t("class"): classes.label(name),
                t("images"): values.n,
                t("sensitivity"): formatting.with_interval(values.recall),
                t("specificity"): formatting.with_interval(values.specificity),
            }
            for name, values in reported(metrics, run.positive).items()
        ]
        st.dataframe(rows, hide_index=True)


def _duplicates(run: Run, name: str) -> None:
    """Show each image of the dataset `name` that the run has already beside the run's image."""
    pairs = external.duplicates(run, name)
    if pairs.empty:
        return
    with st.expander(t("Duplicates ({n})", n=len(pairs)), icon=":material/content_copy:"):
        page = pairs[gallery.page_of(len(pairs), _PAIRS, f"duplicates {name}")]
        for place, (number, pair) in zip(cycle(st.columns(2)), page.iterrows(), strict=False):
            with place:
                gallery.show(_cards(pair), run.classes, f"pair {name} {number}", clickable=False)


def _cards(pair: "pd.Series[str]") -> list[gallery.Card]:
    titles = {
        "external": t("external"),
        "own": t("run: {part}", part=translate(dataset.PART_TITLES[pair["part"]])),
    }
    return [
        gallery.Card(
            path=pair[f"{side}_path"],
            label=pair[f"{side}_label"],
            title=title,
            lines=(
                classes.label(pair[f"{side}_label"]),
                "" if settings.read_only() else Path(pair[f"{side}_path"]).name,
            ),
        )
        for side, title in titles.items()
    ]


def _notes(evaluation: ExternalEvaluation) -> list[str]:
    absent, unknown = (
        formatting.class_list(names) for names in (evaluation.absent_classes, evaluation.unknown_classes)
    )
    return [
        *([t("No image of {classes}.", classes=absent)] if absent else []),
        *([t("Not tested, as the run does not know them: {classes}.", classes=unknown)] if unknown else []),
    ]
