"""What is in view: the dataset and the run, kept in the URL so that a reload or a link shows the same."""

import streamlit as st

from cxrcore import runs, settings
from cxrcore.data import dataset
from cxrcore.features import backbones
from cxrcore.language import date, t, translated
from cxrcore.report import words
from cxrcore.runs import Run
from cxrcore.ui import messages


def choose_dataset() -> str | None:
    """Show the datasets to choose from; return the chosen name, or None when there is none."""
    names = dataset.names()
    if not names:
        return None
    wanted = _wanted("dataset")
    name = st.selectbox(t("Dataset"), names, index=names.index(wanted) if wanted in names else 0)
    _keep("dataset", name)
    return name


def choose_run(with_results: bool = True) -> Run | None:
    """Show the runs to choose from, newest first; return the chosen one, or None when there is none."""
    found = [run for run in listed() if not with_results or run.metrics]
    if not found:
        return None
    names = [run.name for run in found]
    wanted = _wanted("run")
    if wanted and wanted not in names:
        st.warning(t("Run {wanted} has no results to show (any more); this is the newest one that has.", wanted=wanted))
    labels = {run.name: run_label(run) for run in found}
    name = st.selectbox(
        t("Run"), names, index=names.index(wanted) if wanted in names else 0, format_func=labels.__getitem__
    )
    _keep("run", name)
    chosen = found[names.index(name)]
    if is_phantom(chosen):
        st.info(t("Trained and tested on phantoms: drawn by this program, not X-rays of people."))
    return chosen


def no_run() -> None:
    """Say that there is no run to show, and what to do about it; ends the page."""
    if settings.read_only():
        st.info(
            t("No run is shown here yet. They are marked under Results, Take away, or by `cxr runs show`."),
            icon=":material/info:",
        )
        st.stop()
    messages.empty(t("There is no finished run yet."), t("Train a model"), "pages/train.py")


def listed() -> list[Run]:
    """Return the runs that may be seen here, newest first: where nothing may be changed, those marked as shown."""
    return [run for run in runs.listing() if run.shown or not settings.read_only()]


def show_run(run: Run) -> None:
    """Put `run` into view."""
    _keep("run", run.name)


def is_phantom(run: Run) -> bool:
    """Tell whether the run's images were drawn by this project."""
    return bool(run.about["dataset"].get("phantom"))


def run_label(run: Run) -> str:
    """Return for example `22 Nov 04:05 · Xception · phantom · 97.3%`."""
    config, status, metrics = run.config, run.status, run.metrics
    when = date(status.get("created", status.get("started", 0)))
    title = backbones.get(config["backbone"]).title
    end = words.percent(metrics["accuracy"]) if metrics else translated(status["state"])
    return f"{when} · {title} · {config['dataset']} · {end}"


def _wanted(name: str) -> str | None:
    return st.query_params.get(name) or st.session_state.get(f"in_view_{name}")


def _keep(name: str, value: str) -> None:
    st.query_params[name] = value
    st.session_state[f"in_view_{name}"] = value
