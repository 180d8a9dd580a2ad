"""The run on other data: what it is worth beyond the sources it learned from."""

from typing import Any

import streamlit as st

from cxrcore import settings
from cxrcore.data import dataset
from cxrcore.evaluation import external
from cxrcore.figures import formatting
from cxrcore.i18n import t, translate
from cxrcore.runs import Run
from cxrcore.ui import feedback, progress


def show(run: Run) -> None:
    """Show the external tests of a run, and offer one more."""
    st.subheader(t("On other data"))
    found = external.kept(run)
    for test in found:
        _test(test)
    if not found:
        st.caption(
            t(
                "An accuracy measured on one mix of sources says little about the next hospital. Test this run "
                "on a dataset from elsewhere; images it learned from are left out."
            )
        )
    if settings.read_only():
        return
    names = [name for name in dataset.names() if name != run.config["dataset"]]
    if not names:
        st.caption(t("There is no other dataset yet: add one on the Data page."))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(t("Dataset to test on"), names, width=300)
        pressed = st.button(t("Test on it"), icon=":material/fact_check:")
    if pressed:
        from cxrcore.features.extract import Hooks

        with feedback.friendly():
            with st.spinner(t("Loading the model")):
                move = progress.bar(t("Testing"), t("images"))
                external.evaluate(run, name, Hooks(progress=move))
            st.rerun()


def _test(test: dict[str, Any]) -> None:
    with st.container(border=True):
        feedback.numbers(
            {
                t("Accuracy on {dataset}", dataset=test["dataset"]): formatting.percent(test["accuracy"]),
                t("95% interval"): formatting.interval(test["accuracy"]),
                t("Right"): t("{right} of {n}", right=test["accuracy"]["successes"], n=test["accuracy"]["n"]),
                t("Patients"): test["patients"],
            }
        )
        st.markdown(feedback.plain_text(translate(test["sentence"])))
        notes = []
        if test["absent_classes"]:
            notes.append(t("No image of {classes}.", classes=", ".join(map(translate, test["absent_classes"]))))
        if test["unknown_classes"]:
            unknown = ", ".join(map(translate, test["unknown_classes"]))
            notes.append(t("Not tested, as the run does not know them: {classes}.", classes=unknown))
        if test["known_images"]:
            notes.append(t("{n} images that it learned from were left out.", n=test["known_images"]))
        if notes:
            st.caption(" ".join(notes))
        rows = [
            {
                t("class"): translate(name),
                t("images"): values["n"],
                t("sensitivity"): formatting.with_interval(values["recall"]),
                t("specificity"): formatting.with_interval(values["specificity"]),
            }
            for name, values in test["by_class"].items()
        ]
        st.dataframe(rows, hide_index=True)
