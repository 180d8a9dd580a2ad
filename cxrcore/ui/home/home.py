"""What Home shows: to whoever works here the journey, the datasets and the runs; to an audience the runs to look at."""

import streamlit as st

from cxrcore import demo
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.i18n import t, translate
from cxrcore.jobs import queue
from cxrcore.runs import Run
from cxrcore.ui import feedback, progress, selection

_LATEST = 5


def workplace() -> None:
    """Show the way to a first result, the five pages, and what there is."""
    with feedback.friendly():
        queue.dispatch()  # a worker that died is said to have, and whoever waits starts
    names, found = dataset.names(), selection.listed()
    if not found:
        _start()
    _journey()
    if names:
        _datasets(names)
    if found:
        st.subheader(t("Latest runs"))
        labels = selection.labels(found[:_LATEST])
        for run in found[:_LATEST]:
            _link(run, "results" if run.metrics else "train", labels[run.name])


def demonstration() -> None:
    """Show the runs that were marked as shown, each with a way to its results and to where it looks."""
    found = [run for run in selection.listed() if run.metrics]
    if not found:
        selection.no_run()
    st.subheader(t("What can be looked at"))
    labels = selection.labels(found)
    for run in found:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(labels[run.name], width="stretch")
            _link(run, "results", t("How often it is right"))
            _link(run, "explain", t("Where it looks"))


def _link(run: Run, page: str, label: str) -> None:
    st.page_link(f"pages/{page}.py", label=label, query_params={"run": run.name})


def _start() -> None:
    st.subheader(t("Start here"))
    st.markdown(
        t(
            "See the whole journey in about 20 seconds, without a network: the studio draws synthetic X-rays "
            "(**phantoms**) of patients with and without disease and trains its own small network on them."
        )
    )
    if st.button(t("Draw phantoms and train"), type="primary", icon=":material/play_arrow:"):
        with feedback.friendly():
            move = progress.bar(t("Drawing phantoms"))
            data = demo.prepare(lambda stage, done, total: move(done, total))
            run = queue.submit(run_config.make(dataset=data.name))
            st.switch_page("pages/train.py", query_params={"run": run.name})
    st.caption(t("Or begin with your own images on the Data page."))


def _journey() -> None:
    st.subheader(t("The journey"))
    for column, (title, text, page, icon) in zip(
        st.columns(5),
        [
            (t("1. Data"), t("Import X-rays or draw phantoms; look at what is in them."), "data", "folder_open"),
            (t("2. Train"), t("Choose a backbone and a recipe; watch it learn."), "train", "model_training"),
            (t("3. Results"), t("How often it is right, and how sure that is."), "results", "analytics"),
            (t("4. Explain"), t("Where it looks, image by image."), "explain", "visibility"),
            (
                t("5. Compare"),
                t("Several runs side by side; a search for better settings."),
                "compare",
                "compare_arrows",
            ),
        ],
        strict=True,
    ):
        with column.container(border=True, height="stretch"):
            st.page_link(f"pages/{page}.py", label=f"**{title}**", icon=f":material/{icon}:")
            st.caption(text)


def _datasets(names: list[str]) -> None:
    st.subheader(t("Datasets"))
    rows = []
    for name in names:
        data = dataset.load(name)
        row = {t("name"): name, t("images"): len(data.usable)}
        rows.append(row | {t("classes"): ", ".join(map(translate, data.classes))})
    st.dataframe(rows, hide_index=True)
