"""External validation: the run tested on other datasets."""

import streamlit as st

from cxrcore import settings
from cxrcore.data import classes, dataset
from cxrcore.evaluation import external
from cxrcore.evaluation.external import ExternalEvaluation
from cxrcore.figures import formatting
from cxrcore.i18n import t, translate
from cxrcore.runs import Run
from cxrcore.ui import feedback, progress


def show(run: Run) -> None:
    """Show the evaluations of a run on other datasets, and offer one more."""
    st.subheader(t("External validation"))
    found = external.load_all(run)
    for evaluation in found:
        _result(evaluation)
    if not found:
        st.caption(
            t(
                "Accuracy on one mix of sources says little about another hospital. Test this run on a dataset from "
                "elsewhere; images that the run already has are left out."
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
    if pressed:
        from cxrcore.features.extract import ExtractionCallbacks

        with feedback.friendly():
            with st.spinner(t("Loading the model")):
                move = progress.bar(t("Testing"), t("images"))
                external.evaluate(run, name, ExtractionCallbacks(progress=move))
            st.rerun()


def _result(evaluation: ExternalEvaluation) -> None:
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
        st.markdown(feedback.plain_text(translate(evaluation.sentence)))
        if notes := _notes(evaluation):
            st.caption(feedback.plain_text(" ".join(notes)))
        rows = [
            {
                t("class"): classes.label(name),
                t("images"): values.n,
                t("sensitivity"): formatting.with_interval(values.recall),
                t("specificity"): formatting.with_interval(values.specificity),
            }
            for name, values in metrics.by_class.items()
        ]
        st.dataframe(rows, hide_index=True)


def _notes(evaluation: ExternalEvaluation) -> list[str]:
    absent, unknown = (
        ", ".join(map(classes.label, names)) for names in (evaluation.absent_classes, evaluation.unknown_classes)
    )
    known = evaluation.known_images
    return [
        *([t("No image of {classes}.", classes=absent)] if absent else []),
        *([t("Not tested, as the run does not know them: {classes}.", classes=unknown)] if unknown else []),
        *([t("{n} images that the run already has were left out.", n=known)] if known else []),
    ]
