"""The dataset and the run that a page shows, kept in the URL so that a reload or a link shows the same."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import Lock
from types import MappingProxyType

import streamlit as st

from cxrcore import runs, settings
from cxrcore.data import dataset
from cxrcore.evaluation import verdict
from cxrcore.features import backbones
from cxrcore.figures import formatting
from cxrcore.i18n import current, format_time, t, translate
from cxrcore.runs import KnownRun, Run, state_label
from cxrcore.ui import feedback, query_params

_JUDGED = 50  # the newest runs, of which a verdict that was not kept is found by reading tables
_LOCK = Lock()


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
    known = set(names)
    for found in runs.known():
        if found.config and found.config.dataset in known:
            return found.config.dataset
    return max(names, key=lambda name: dataset.load(name).info.created)


def choose_run() -> Run | None:
    """Show the runs with results to choose from, newest first; return the chosen one, or None when there is none."""
    found, names = _with_results()
    if not found:
        return None
    if st.query_params.get("run", next(iter(found))) not in found:
        st.warning(t("The run named by the link cannot be shown here. This is the newest run that can."))
    key = query_params.start("run", list(found), next(iter(found)))
    st.selectbox(t("Run"), list(found), format_func=names.__getitem__, key=key)
    chosen = found[_always_named("run")]
    if chosen.is_phantom:
        st.info(translate(feedback.PHANTOMS))
    return chosen


def _with_results() -> tuple[Mapping[str, Run], Mapping[str, str]]:
    with _LOCK:  # what one visitor waits for, others need as well
        return _labelled_results(runs.known(), settings.read_only(), current())


@lru_cache(maxsize=4)
def _labelled_results(
    known: tuple[KnownRun, ...], only_shown: bool, language: str
) -> tuple[Mapping[str, Run], Mapping[str, str]]:
    """Return the runs with results by name, newest first, and their labels with what went wrong; of older runs
    than the newest `_JUDGED`, only if their verdict was kept.
    """
    found = _seen(known, only_shown)
    names = _told_apart({each.run.name: _label(each, language) for each in found})
    for number, each in enumerate(found):
        if number < _JUDGED or _is_kept(each):
            names[each.run.name] = _judged(each, names[each.run.name], language)
    return MappingProxyType({each.run.name: each.run for each in found}), MappingProxyType(names)


def _seen(known: tuple[KnownRun, ...], only_shown: bool) -> list[KnownRun]:
    return [each for each in known if each.metrics and (each.shown or not only_shown)]


def _always_named(name: str) -> str:
    """Return the choice, which the URL always names: the newest run today is not the newest tomorrow."""
    value = str(st.session_state[f"{name} {current()}"])
    query_params.keep(name, value, None)
    return value


def with_results() -> list[Run]:
    """Return the runs with results that may be seen here, newest first."""
    return list(_with_results()[0].values())


def newest_with_results() -> Run | None:
    """Return the newest run with results that may be seen here; no labels are made for it."""
    return next((each.run for each in _seen(runs.known(), settings.read_only())), None)


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
    only_shown = settings.read_only()
    return [found.run for found in runs.known() if found.problem is None and (not only_shown or found.shown)]


def labels(of: Sequence[Run]) -> dict[str, str]:
    """Return the label of each run by its name, as plain text; equal labels end with a part of the names."""
    language = current()
    known = zip(of, runs.find(*of), strict=True)
    return _told_apart({run.name: _label(found, language) if found else _labelled(run) for run, found in known})


def _told_apart(found: Mapping[str, str]) -> dict[str, str]:
    count = Counter(found.values())
    return {name: label if count[label] == 1 else _with_end(label, name) for name, label in found.items()}


@lru_cache(maxsize=4000)
def _with_end(label: str, name: str) -> str:
    """Return the label with a part of the name: one text for all visitors, whose pages keep it."""
    return f"{label} · {name[-4:]}"


def judged(run: Run, label: str) -> str:
    """Return the label of a run followed by what went wrong, if anything did, as plain text."""
    found = verdict.of_run(run)
    return f"{label} · {translate(found.title)}" if found and found.findings else label


@lru_cache(maxsize=4000)
def _is_kept(found: KnownRun) -> bool:
    return verdict.is_kept(found.run)


@lru_cache(maxsize=4000)
def _judged(found: KnownRun, label: str, language: str) -> str:
    return judged(found.run, label)


def run_label(run: Run) -> str:
    """Return for example `22 Nov 04:05 · Xception · phantom · 97.3%`, as plain text."""
    return labels([run])[run.name]


@lru_cache(maxsize=4000)
def _label(found: KnownRun, language: str) -> str:
    return _labelled(found.run)


def _labelled(run: Run) -> str:
    config, status, metrics = run.config, run.status, run.metrics
    when = format_time(status.created or status.started)
    title = run.title or backbones.get(config.backbone).title
    end = formatting.headline(run) if metrics else translate(state_label(status.state))
    return f"{when} · {title} · {config.dataset} · {end}"
