"""Sweeps: progress, leaderboard by validation, importance of the settings, and promotion of a trial to a run."""

import pandas as pd
import streamlit as st

from cxrcore.fields import Range
from cxrcore.figures import comparison
from cxrcore.i18n import format_number, nt, t, translate
from cxrcore.jobs import queue, tasks
from cxrcore.runs import RUNNING
from cxrcore.sweeps import leaderboard, promote, search, sweep
from cxrcore.sweeps.plan import SWEPT
from cxrcore.sweeps.sweep import Sweep
from cxrcore.ui import feedback, kept_figures, query_params
from cxrcore.ui.fragments import fragment

_SHOWN = 100


def show() -> None:
    """Show the choice of a sweep and the chosen one, which is drawn again every two seconds while it runs."""
    feedback.damaged({found.name: found.message for found in sweep.damaged()})
    names = [found.name for found in sweep.listing()]
    if not names:
        st.info(t("There is no sweep yet. Start one on the Train page, under *Sweep*."), icon=":material/info:")
        return
    chosen = sweep.load(query_params.selectbox(st.container(), t("Sweep"), "sweep", names, str))
    live = _is_live(chosen)
    fragment(_view, run_every=2.0 if live else None)(chosen, live)


def _is_live(chosen: Sweep) -> bool:
    status = tasks.status(chosen, "sweep")
    return status is not None and status.state == RUNNING


def _view(chosen: Sweep, was_live: bool) -> None:
    live, plan, table = _is_live(chosen), chosen.plan, leaderboard.table(chosen)
    if was_live and not live:
        st.rerun()
    failures = leaderboard.failures(chosen)
    done = int(table["val_loss"].notna().sum()) + len(failures)
    st.progress(min(1.0, done / plan.trials) if plan.trials else 0.0, text=_progress(done, plan.trials, live))
    _buttons(chosen, live)
    if failures:
        text = nt(
            "{n} trial failed: {message}",
            "{n} trials failed, the first with: {message}",
            len(failures),
            message=failures[0],
        )
        st.warning(feedback.plain_text(text), icon=":material/warning:")
    if table["val_loss"].notna().any():
        _leaderboard(chosen, table)
        _figures(chosen, table.dropna(subset="val_loss"))


def _progress(done: int, planned: int, live: bool) -> str:
    text = t("{done} of {all} trials", done=done, all=planned) if planned else nt("{n} trial", "{n} trials", done)
    return text if live else f"{text} · " + t("not running")


def _buttons(chosen: Sweep, live: bool) -> None:
    status = tasks.status(chosen, "sweep")
    if status and status.state != RUNNING:
        st.error(feedback.error_text(status.message), icon=":material/error:")
    if live:
        if st.button(t("Stop (finished trials are kept)"), icon=":material/stop_circle:"):
            tasks.stop(chosen, "sweep")
            st.rerun()
    elif search.remaining(chosen) > 0 and st.button(t("Resume"), icon=":material/play_arrow:"):
        with feedback.friendly():
            tasks.start(chosen, "sweep")
            st.rerun()


def _leaderboard(chosen: Sweep, table: pd.DataFrame) -> None:
    st.subheader(t("Leaderboard by validation loss"))
    shown = table.head(_SHOWN)
    columns = {
        "number": t("trial"),
        "state": t("state"),
        "val_loss": t("validation loss"),
        "val_accuracy": t("validation accuracy"),
        "kept_epoch": t("epoch"),
        "run": t("run"),
    }
    accuracies = [format_number(value, ".1%") if pd.notna(value) else "–" for value in shown["val_accuracy"]]
    states = [translate(leaderboard.STATES[state]) for state in shown["state"]]
    view = shown.assign(state=states, val_accuracy=accuracies).rename(columns=columns | _titles(chosen))
    event = st.dataframe(
        view.drop(columns=["seconds", "n_validation"]),
        hide_index=True,
        selection_mode="single-row",
        on_select="rerun",
        key=f"leaderboard {chosen.name}",
        column_config={t("validation loss"): st.column_config.NumberColumn(format="%.4f")},
    )
    notes = [
        t(
            "Ranked on {n} validation images; settings that classify all of them correctly cannot be distinguished.",
            n=int(shown["n_validation"].max()),
        ),
        t("The best of many trials looks better on validation data than it is. Only its test shows how good it is."),
    ]
    st.caption(" ".join(notes))
    if event.selection.rows:
        _promote(chosen, int(shown["number"].iloc[event.selection.rows[0]]))


def _promote(chosen: Sweep, number: int) -> None:
    if before := promote.promoted_run(chosen, number):
        st.page_link("pages/train.py", label=t("Show the run"), query_params={"run": before.name})
    elif st.button(t("Train and test trial {number} as a run", number=number), type="primary"):
        with feedback.friendly():
            run = queue.submit(promote.config_of(chosen, number))
            promote.mark(chosen, number, run)
            st.switch_page("pages/train.py", query_params={"run": run.name})


def _titles(chosen: Sweep) -> dict[str, str]:
    """Return the titles of the settings that a sweep varies, in the current language."""
    return {name: translate(SWEPT[name].setting.label) for name in chosen.plan.settings}


def _figures(chosen: Sweep, table: pd.DataFrame) -> None:
    varied, titles = chosen.plan.settings, _titles(chosen)
    logs = [name for name, values in varied.items() if isinstance(values, Range) and values.log]
    st.subheader(t("All trials"))
    figure = kept_figures.made(comparison.parallel, table, titles, logs)
    alt = t("Parallel coordinates: one line for each trial, from its settings to its validation loss")
    st.plotly_chart(figure, key="parallel", alt=alt)
    if shares := leaderboard.importance(chosen):
        st.subheader(t("Importance of the settings"))
        st.caption(t("Share of each setting in the difference between good and other trials (PED-ANOVA)."))
        figure = kept_figures.made(comparison.importance, {titles[name]: share for name, share in shares.items()})
        st.plotly_chart(figure, key="importance", alt=t("Importance of each setting"))
