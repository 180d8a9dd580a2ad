"""What Home shows: the steps of the work, the datasets and the runs; to an audience the runs alone."""

import streamlit as st

from cxrcore import demo, runs
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.evaluation import verdict
from cxrcore.figures import formatting
from cxrcore.i18n import t
from cxrcore.jobs import queue
from cxrcore.runs import Run
from cxrcore.ui import feedback, progress, selection, verdict_box

_LATEST = 5


def workspace() -> None:
    """Show the demo where there is no run, the five pages, and the existing datasets and runs."""
    with feedback.friendly():
        queue.dispatch()  # notices workers that have died and starts the run that waits
    names, found = dataset.names(), selection.listed()
    if not found:
        _demo()
    _steps()
    if names:
        _datasets(names)
    feedback.damaged({data.name: data.message for data in dataset.damaged()})
    if found:
        st.subheader(t("Latest runs"))
        labels = selection.labels(found[:_LATEST])
        for run in found[:_LATEST]:
            judged = verdict.of_run(run)
            icon = verdict_box.ICONS[judged.level] if judged else None
            label = feedback.plain_text(selection.judged(run, labels[run.name]))
            _link(run, "results" if run.metrics else "train", label, icon)
    feedback.damaged({run.name: run.message for run in runs.damaged()})


def demonstration() -> None:
    """Show the runs that were marked as shown, each with links to its results and its heatmaps."""
    found = [run for run in selection.listed() if run.metrics]
    if not found:
        selection.no_run()
    st.subheader(t("Runs"))
    labels = selection.labels(found)
    for run in found:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(feedback.plain_text(selection.judged(run, labels[run.name])), width="stretch")
            _link(run, "results", t("Results"))
            _link(run, "explain", t("Explain"))


def _link(run: Run, page: str, label: str, icon: str | None = None) -> None:
    st.page_link(f"pages/{page}.py", label=label, icon=icon, query_params={"run": run.name})


def _demo() -> None:
    st.subheader(t("Demo"))
    st.markdown(
        t(
            "Generates synthetic X-rays (**phantoms**) of patients with and without disease and trains a small network "
            "on them. Takes about 20 seconds and needs no network connection."
        )
    )
    if st.button(t("Generate phantoms and train"), type="primary", icon=":material/play_arrow:"):
        with feedback.friendly():
            data = demo.prepare(progress.stages())
            run = queue.submit(run_config.make(dataset=data.name))
            st.switch_page("pages/train.py", query_params={"run": run.name})
    st.caption(t("Or import your own images on the Data page."))


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


def _datasets(names: list[str]) -> None:
    st.subheader(t("Datasets"))
    rows = []
    for name in names:
        data = dataset.load(name)
        row = {t("name"): name, t("images"): len(data.usable)}
        rows.append(row | {t("classes"): formatting.class_list(data.classes)})
    st.dataframe(rows, hide_index=True)
