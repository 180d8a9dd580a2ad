"""What is in view: the dataset and the run, kept in the URL so that a reload or a link shows the same."""

from collections import Counter

import streamlit as st

from cxrcore import runs, settings
from cxrcore.data import dataset
from cxrcore.features import backbones
from cxrcore.figures import formatting
from cxrcore.i18n import current, format_time, t, translate
from cxrcore.runs import Run
from cxrcore.ui import feedback, query_params


def choose_dataset() -> str | None:
    """Show the datasets to choose from; return the chosen name, or None when there is none."""
    names = dataset.names()
    if not names:
        return None
    st.selectbox(t("Dataset"), names, key=query_params.start("dataset", names, names[0]))
    return _always_named("dataset")


def choose_run() -> Run | None:
    """Show the runs with results to choose from, newest first; return the chosen one, or None when there is none."""
    found = {run.name: run for run in listed() if run.metrics}
    if not found:
        return None
    if st.query_params.get("run", next(iter(found))) not in found:
        st.warning(t("The run that the link names cannot be shown here (any more); this is the newest one that can."))
    names = labels(list(found.values()))
    key = query_params.start("run", list(found), next(iter(found)))
    st.selectbox(t("Run"), list(found), format_func=names.__getitem__, key=key)
    chosen = found[_always_named("run")]
    if chosen.is_phantom:
        st.info(t("Trained and tested on phantoms: drawn by this program, not X-rays of people."))
    return chosen


def _always_named(name: str) -> str:
    """Return the choice, which the URL always names: what is newest today is not tomorrow."""
    value = str(st.session_state[f"{name} {current()}"])
    query_params.keep(name, value, None)
    return value


def no_run() -> None:
    """Say that there is no run to show, and what to do about it; ends the page."""
    if settings.read_only():
        st.info(
            t("No run is shown here yet. They are marked under Results, Take away, or by `cxr runs show`."),
            icon=":material/info:",
        )
        st.stop()
    feedback.empty(t("There is no finished run yet."), t("Train a model"), "pages/train.py")


def listed() -> list[Run]:
    """Return the runs that may be seen here, newest first: where nothing may be changed, those marked as shown."""
    return [run for run in runs.listing() if run.shown or not settings.read_only()]


def labels(runs: list[Run]) -> dict[str, str]:
    """Return the label of each run by its name; two that would read alike end with a part of their names."""
    found = {run.name: run_label(run) for run in runs}
    alike = Counter(found.values())
    return {name: label if alike[label] == 1 else f"{label} · {name[-4:]}" for name, label in found.items()}


def run_label(run: Run) -> str:
    """Return for example `22 Nov 04:05 · Xception · phantom · 97.3%`."""
    config, status, metrics = run.config, run.status, run.metrics
    when = format_time(status.get("created", status.get("started", 0)))
    title = run.card["title"] or backbones.get(config["backbone"]).title
    end = formatting.percent(metrics["accuracy"]) if metrics else translate(status["state"])
    return f"{when} · {title} · {config['dataset']} · {end}"
