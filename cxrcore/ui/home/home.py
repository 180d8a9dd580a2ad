"""What Home shows: the next step, the runs, the datasets and the steps of the work; to an audience the runs alone."""

import streamlit as st

from cxrcore import demo, runs
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.i18n import t
from cxrcore.jobs import queue
from cxrcore.ui import feedback, progress, selection
from cxrcore.ui.home import dataset_cards, run_list

_LATEST = 5
_SHOWN = 20  # runs that an audience sees


def workspace() -> None:
    """Show the demo where there is no run, the existing runs and datasets, and the five pages."""
    with feedback.friendly():
        queue.dispatch()  # notices workers that have died and starts the run that waits
    datasets, found = [each for each in dataset.known() if each.problem is None], selection.listed()
    if not found:
        _first_step(bool(datasets))
    else:
        left, right = st.columns(2)
        if tested := next((run for run in found if run.metrics), None):
            with left, feedback.friendly():
                run_list.last(tested)
        with right:
            st.subheader(t("Latest runs"))
            run_list.latest(found, _LATEST)
    if datasets:
        dataset_cards.show(datasets)
    feedback.damaged(dataset.damaged())
    feedback.damaged({run.name: run.message for run in runs.damaged()})
    _steps()


def demonstration() -> None:
    """Show the runs that were marked as shown, each with links to its results and its heatmaps."""
    found = selection.with_results()
    if not found:
        selection.no_run()
    st.subheader(t("Runs"))
    run_list.shown(found, _SHOWN)


def _first_step(has_data: bool) -> None:
    """Show the buttons of what a new user does first."""
    if has_data and st.button(t("Train a model"), type="primary", icon=":material/model_training:"):
        st.switch_page("pages/train.py")
    kind = "secondary" if has_data else "primary"
    label = t("Generate phantoms and train")
    if st.button(label, type=kind, icon=":material/play_arrow:"):  # type: ignore[arg-type]
        with feedback.friendly():
            data = demo.prepare(progress.stages())
            run = queue.submit(run_config.make(dataset=data.name))
            st.switch_page("pages/train.py", query_params={"run": run.name})
    st.page_link(
        "pages/data.py",
        label=t("Or import your own images on the Data page."),
        icon=":material/folder_open:",
        query_params={"view": "Add a dataset"},
    )
    st.markdown(
        t(
            "Generates synthetic X-rays (**phantoms**) of patients with and without disease and trains a small network "
            "on them. Takes about 20 seconds and needs no network connection."
        )
    )


def _steps() -> None:
    st.subheader(t("Steps"))
    steps = [
        (t("1. Data"), t("Import X-rays or generate phantoms; check the dataset."), "data", "folder_open"),
        (t("2. Train"), t("Choose a backbone and settings; follow the training."), "train", "model_training"),
        (t("3. Results"), t("Accuracy, errors and robustness on test images."), "results", "analytics"),
        (t("4. Explain"), t("Heatmaps of the image regions that the model uses."), "explain", "visibility"),
        (t("5. Compare"), t("Runs side by side, and sweeps of settings."), "compare", "compare_arrows"),
    ]
    for column, (title, text, page, icon) in zip(st.columns(5), steps, strict=True):
        with column.container(border=True, height="stretch"):
            st.page_link(f"pages/{page}.py", label=f"**{title}**", icon=f":material/{icon}:")
            st.caption(text)
