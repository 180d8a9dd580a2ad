"""Runs side by side: figures, a table to choose from, the paired tests, curves, and actions on runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from threading import Lock
from time import perf_counter

import pandas as pd
import streamlit as st
from cachetools import LRUCache, cached

from cxrcore import runs, settings
from cxrcore.evaluation import run_comparison, verdict
from cxrcore.evaluation.verdict import BAD, CAUTION, GOOD
from cxrcore.figures import comparison, formatting
from cxrcore.files import csv_text
from cxrcore.i18n import current, format_number, t, translate
from cxrcore.runs import LIVE, KnownRun, Run, state_label
from cxrcore.ui import feedback, kept_figures, selection
from cxrcore.ui.compare import edit, matrices, overview, paired, url_selection
from cxrcore.ui.fragments import fragment

_MOST_CURVES = 8
_PATIENCE = 0.5  # seconds for verdicts before the page is shown
_STEP = 25  # runs
_MARKS = {GOOD: "✓", CAUTION: "⚠", BAD: "✕"}


def show_all() -> None:
    """Show the runs, those that are damaged, and the trash."""
    found = selection.listed()
    if found:
        _runs(found)
    if not settings.read_only():
        feedback.damaged({run.name: run.message for run in runs.damaged()})
    edit.trash()
    if not found:
        selection.no_run()


def _runs(listed: list[Run]) -> None:
    """Show figures of the runs chosen in the table, the table, and what compares the chosen runs."""
    figures = st.container()  # above the table, which chooses what they show
    found = _filtered(listed)
    if not found:
        st.info(t("No run matches these words in its title, dataset, settings or tags."), icon=":material/info:")
        return
    labels = selection.labels(listed)
    verdicts = _verdicts(found)
    chosen = _choose(found, listed, labels, verdicts)
    with figures, feedback.friendly():
        overview.show(chosen or found, bool(chosen))
    st.download_button(t("Table as CSV"), partial(_csv, found), "runs.csv", "text/csv", icon=":material/download:")
    if chosen:
        edit.show(chosen, labels)
        if len(chosen) > 1:
            paired.show(chosen, labels)
            matrices.show(chosen, labels)
        live = any(run.status.state in LIVE for run in chosen)
        fragment(_curves, run_every=2.0 if live else None)(chosen[:_MOST_CURVES], labels)
    else:
        st.caption(t("Select runs in the table to compare them; a single run can be renamed, tagged or deleted."))
    if len(verdicts) < len(found):
        _judge(found)


def _csv(found: list[Run]) -> str:
    return csv_text(run_comparison.table(found))


def _filtered(listed: list[Run]) -> list[Run]:
    wanted = st.text_input(t("Filter"), placeholder=t("for example: vgg16 cosine"), key="run filter").lower().split()
    if not wanted:
        return listed
    return [run for run in listed if all(word in _words(run) for word in wanted)]


def _words(run: Run) -> str:
    card = run.card
    return " ".join([run.name, card.title, *card.tags, run.status.state, *map(str, run.settings.values())]).lower()


def _choose(found: list[Run], listed: list[Run], labels: dict[str, str], verdicts: dict[str, str]) -> list[Run]:
    """Show the table of the runs found; return those that are chosen, also those that the filter hides."""
    known = tuple(known or run for run, known in zip(found, runs.find(*found), strict=True))
    rows = _table(_Rows(known, current(), len(verdicts)), found, labels, verdicts)
    st.caption(t("Settings that are the same in all runs have no column. Click on a column's title to sort."))
    names = [run.name for run in found]
    key = f"runs {current()} {hash(tuple(names))}"
    url_selection.start(key, names)
    event = st.dataframe(rows, hide_index=True, selection_mode="multi-row", on_select="rerun", key=key)
    by_name = {run.name: run for run in listed}
    return [by_name[name] for name in url_selection.keep(event, names, list(by_name))]


@dataclass(frozen=True)
class _Rows:
    """What a table of runs depends on: the runs as they are, the language, and how many verdicts are known."""

    known: tuple[KnownRun | Run, ...]
    language: str
    judged: int


_TABLES: LRUCache[_Rows, pd.DataFrame] = LRUCache(maxsize=8)


@cached(_TABLES, key=lambda rows, *_: rows, lock=Lock())
def _table(rows: _Rows, found: list[Run], labels: dict[str, str], verdicts: dict[str, str]) -> pd.DataFrame:
    """Return the table of runs; it is kept, so it must not be changed."""
    settings = [known.settings for known in rows.known]
    texts = [_texts(known, rows.language) if isinstance(known, KnownRun) else _texts_of(known) for known in rows.known]
    columns: dict[str, Sequence[str | int | None]] = {
        t("run"): [labels[run.name] for run in found],
        t("test accuracy"): [each.accuracy for each in texts],
        t("verdict"): [verdicts.get(run.name, "…") for run in found],
    }
    columns |= {name: [_text(each.get(name)) for each in settings] for name in run_comparison.differing(settings)}
    columns[t("macro F1")] = [each.macro_f1 for each in texts]
    columns[t("test images")] = [each.images for each in texts]
    columns[t("tags")] = [each.tags for each in texts]
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class _Texts:
    """What the table says of a run, besides its verdict and settings."""

    accuracy: str  # or its state
    macro_f1: str
    images: int | None  # of the test
    tags: str


def _texts_of(run: Run) -> _Texts:
    metrics, averaged, accuracy = run.metrics, run.averaged, run.headline
    macro_f1 = metrics.test.macro_f1 if metrics else None
    return _Texts(
        formatting.with_interval(accuracy) if accuracy else translate(state_label(run.status.state)),
        formatting.with_interval(averaged.mean.get("macro_f1") if averaged else macro_f1),
        accuracy.n if accuracy else None,
        ", ".join(run.card.tags),
    )


@lru_cache(maxsize=4000)
def _texts(known: KnownRun, language: str) -> _Texts:
    return _texts_of(known.run)


def _verdicts(found: list[Run]) -> dict[str, str]:
    """Return the verdicts by name, newest first until `_PATIENCE` is over: one that is not known yet reads tables."""
    end, verdicts = perf_counter() + _PATIENCE, {}
    language = current()
    for run, known in zip(found, runs.find(*found), strict=True):
        verdicts[run.name] = _verdict(known, language) if known else _judged(run)
        if perf_counter() > end:
            break
    return verdicts


def _judge(found: list[Run]) -> None:
    """Find the remaining verdicts, which are then known, and show the page again; once for these runs."""
    key = hash(tuple(run.name for run in found))
    if st.session_state.get("judged runs") == key:
        return
    place, start = st.empty(), perf_counter()
    for number, run in enumerate(found, start=1):
        verdict.of_run(run)
        if number % _STEP == 0:
            left = (perf_counter() - start) / number * (len(found) - number)
            text = t("Verdicts: {n} of {all} runs, {left} left", n=number, all=len(found), left=feedback.duration(left))
            place.progress(number / len(found), text=text)
    st.session_state["judged runs"] = key
    st.rerun()


@lru_cache(maxsize=4000)
def _verdict(known: KnownRun, language: str) -> str:
    return _judged(known.run)


def _judged(run: Run) -> str:
    """Return what went wrong in a few words, or that nothing did; a dash before there are results."""
    found = verdict.of_run(run)
    if found is None:
        return "–"
    titles = [translate(finding.title) for finding in found.findings] or [translate(found.title)]
    return f"{_MARKS[found.level]} {'; '.join(titles)}"


def _text(value: object) -> str:
    if value is None or value != value:
        return "–"
    return format_number(value, "g") if isinstance(value, float) else str(value)


def _curves(chosen: list[Run], labels: dict[str, str]) -> None:
    found = {labels[run.name]: epochs for run in chosen if (epochs := run.epochs)}
    colours = {labels[run.name]: colour for run, colour in zip(chosen, overview.colours(chosen), strict=True)}
    if not found:
        return
    metrics = {"val_accuracy": t("Accuracy, validation"), "val_loss": t("Loss, validation")}
    for column, (metric, title) in zip(st.columns(2), metrics.items(), strict=True):
        figure = kept_figures.made(comparison.curves, found, metric, title, [colours[label] for label in found])
        alt = t("{title} by epoch, one line for each run", title=title)
        column.plotly_chart(figure, key=f"compared {metric}", alt=alt)
