"""The run on other data: what it is worth beyond the sources it learned from."""

from typing import Any

import streamlit as st

from cxrcore.data import dataset
from cxrcore.evaluation import external
from cxrcore.runs import Run
from cxrcore.ui import messages, progress


def show(run: Run) -> None:
    """Show the external tests of a run, and offer one more."""
    st.subheader("On other data")
    found = external.kept(run)
    for test in found:
        _test(test)
    if not found:
        st.caption(
            "An accuracy measured on one mix of sources says little about the next hospital. Test this run on a "
            "dataset from elsewhere; images it learned from are left out."
        )
    names = [name for name in dataset.names() if name != run.config["dataset"]]
    if not names:
        st.caption("There is no other dataset yet: add one on the Data page.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Dataset to test on", names, width=300)
        pressed = st.button("Test on it", icon=":material/fact_check:")
    if pressed:
        from cxrcore.features.extract import Hooks

        with messages.friendly():
            with st.spinner("Loading the model"):
                move = progress.bar("Testing", "images")
                external.evaluate(run, name, Hooks(progress=move))
            st.rerun()


def _test(test: dict[str, Any]) -> None:
    with st.container(border=True):
        messages.numbers(
            {
                f"Accuracy on {test['dataset']}": messages.percent(test["accuracy"]),
                "95 % interval": messages.interval(test["accuracy"]),
                "Right": f"{test['accuracy']['successes']} of {test['accuracy']['n']}",
                "Patients": test["patients"],
            }
        )
        st.markdown(test["sentence"])
        notes = [f"No image of {', '.join(test['absent_classes'])}."] if test["absent_classes"] else []
        if test["unknown_classes"]:
            notes.append(f"Not tested, as the run does not know them: {', '.join(test['unknown_classes'])}.")
        if test["known_images"]:
            notes.append(f"{test['known_images']} images that it learned from were left out.")
        if notes:
            st.caption(" ".join(notes))
        rows = [
            {
                "class": name,
                "images": values["n"],
                "sensitivity": messages.with_interval(values["recall"]),
                "specificity": messages.with_interval(values["specificity"]),
            }
            for name, values in test["by_class"].items()
        ]
        st.dataframe(rows, hide_index=True)
