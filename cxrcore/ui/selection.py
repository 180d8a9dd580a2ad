"""The dataset and the run that a page shows, kept in the URL so that a reload or a link shows the same."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from cxrcore import runs, settings
from cxrcore.data import dataset
from cxrcore.evaluation import verdict
from cxrcore.features import backbones
from cxrcore.figures import formatting
from cxrcore.i18n import current, format_time, t, translate
from cxrcore.runs import Run, state_label
from cxrcore.ui import feedback, query_params


def choose_dataset(last_used: bool = False) -> str | None:
    """Show the datasets to choose from; return the chosen name, or None when there is none.

    The first by name is chosen at first, or with `last_used` that of the newest run, without runs the newest.
    """
    names = dataset.names()
    if not names:
        return None
    default = _last_used(names) if last_used else names[0]
    st.selectbox(t("Dataset"), names, key=query_params.start("dataset", names, default))
    return _always_named("dataset")


def _last_used(names: Sequence[str]) -> str:
    for run in runs.listing():
        if run.requested.dataset in names:
            return run.requested.dataset
    return max(names, key=lambda name: dataset.load(name).info.created)


def choose_run() -> Run | None:
    """Show the runs with results to choose from, newest first; return the chosen one, or None when there is none."""
    found = {run.name: run for run in listed() if run.metrics}
    if not found:
        return None
    if st.query_params.get("run", next(iter(found))) not in found:
        st.warning(t("The run named by the link cannot be shown here. This is the newest run that can."))
    names = {name: judged(found[name], label) for name, label in labels(list(found.values())).items()}
    key = query_params.start("run", list(found), next(iter(found)))
    st.selectbox(t("Run"), list(found), format_func=names.__getitem__, key=key)
    chosen = found[_always_named("run")]
    if chosen.is_phantom:
        st.info(translate(feedback.PHANTOMS))
    return chosen


def _always_named(name: str) -> str:
    """Return the choice, which the URL always names: the newest run today is not the newest tomorrow."""
    value = str(st.session_state[f"{name} {current()}"])
    query_params.keep(name, value, None)
    return value


def no_run() -> None:
    """Say that there is no run to show, and what to do about it; ends the page."""
    if settings.read_only():
        st.info(
            t("No run is shown here yet. Runs are marked as shown under Results, Export, or by `cxr runs show`."),
            icon=":material/info:",
        )
        st.stop()
    feedback.empty(t("There is no finished run yet."), t("Train a model"), "pages/train.py")


def listed() -> list[Run]:
    """Return the runs that may be seen here, newest first: where nothing may be changed, those marked as shown."""
    return [run for run in runs.listing() if run.shown or not settings.read_only()]


def labels(runs: Sequence[Run]) -> dict[str, str]:
    """Return the label of each run by its name, as plain text; equal labels end with a part of the names."""
    found = {run.name: run_label(run) for run in runs}
    count = Counter(found.values())
    return {name: label if count[label] == 1 else f"{label} · {name[-4:]}" for name, label in found.items()}


def judged(run: Run, label: str) -> str:
    """Return the label of a run followed by what went wrong, if anything did, as plain text."""
    found = verdict.of_run(run)
    return f"{label} · {translate(found.title)}" if found and found.findings else label


def run_label(run: Run) -> str:
    """Return for example `22 Nov 04:05 · Xception · phantom · 97.3%`, as plain text."""
    config, status, metrics = run.config, run.status, run.metrics
    when = format_time(status.created or status.started)
    title = run.title or backbones.get(config.backbone).title
    end = formatting.headline(run) if metrics else translate(state_label(status.state))
    return f"{when} · {title} · {config.dataset} · {end}"
