"""Sweeps: how far one is, its leaderboard by validation, which knobs mattered, and the way to open a trial."""

import pandas as pd
import streamlit as st

from cxrcore import settings
from cxrcore.figures import comparison
from cxrcore.i18n import bind, format_number, nt, t, translate
from cxrcore.jobs import queue, tasks
from cxrcore.runs import RUNNING
from cxrcore.sweeps import leaderboard, promote, search, sweep
from cxrcore.sweeps.plan import Span
from cxrcore.sweeps.sweep import Sweep
from cxrcore.ui import feedback, query_params
from cxrcore.ui.train.sweep import NAMES

_SHOWN = 100


def show() -> None:
    """Show the sweeps to choose from and the chosen one, anew every two seconds while it runs."""
    names = [found.name for found in sweep.listing()]
    if not names:
        st.info(t("No sweep yet. Under Train, *Sweep: try many settings* starts one."), icon=":material/info:")
        return
    chosen = sweep.load(query_params.selectbox(st, t("Sweep"), "sweep", names, str))
    live = _is_live(chosen)
    st.fragment(bind(_view), run_every=2.0 if live else None)(chosen, live)


def _is_live(chosen: Sweep) -> bool:
    found = tasks.status(chosen, "sweep")
    return bool(found and found["state"] == RUNNING)


def _view(chosen: Sweep, was_live: bool) -> None:
    live, plan, table = _is_live(chosen), chosen.plan, leaderboard.table(chosen)
    if was_live and not live:
        st.rerun()
    done = int(table["val_loss"].notna().sum() + (table["state"] == "failed").sum())
    st.progress(min(1.0, done / plan.trials) if plan.trials else 0.0, text=_progress(done, plan.trials, live))
    _buttons(chosen, live, done)
    failed = table[table["state"] == "failed"]
    if len(failed):
        text = nt("{n} trial failed: {message}", "{n} trials failed, the first with: {message}", len(failed),
                  message=translate(failed["message"].iloc[0]))  # fmt: skip
        st.warning(feedback.plain_text(text), icon=":material/warning:")
    if table["val_loss"].notna().any():
        _leaderboard(chosen, table)
        _figures(chosen, table.dropna(subset="val_loss"))


def _progress(done: int, planned: int, live: bool) -> str:
    text = t("{done} of {all} trials", done=done, all=planned) if planned else nt("{n} trial", "{n} trials", done)
    return text if live else f"{text} · " + t("not running")


def _buttons(chosen: Sweep, live: bool, done: int) -> None:
    if settings.read_only():
        return
    found = tasks.status(chosen, "sweep")
    if found and found["state"] != RUNNING:
        st.error(feedback.plain_text(translate(found["message"])), icon=":material/error:")
    if live:
        if st.button(t("Stop; what is done is kept"), icon=":material/stop_circle:"):
            tasks.stop(chosen, "sweep")
            st.rerun()
    elif search.left(chosen) > 0 and st.button(t("Go on"), icon=":material/play_arrow:"):
        with feedback.friendly():
            tasks.start(chosen, "sweep")
            st.rerun()


def _leaderboard(chosen: Sweep, table: pd.DataFrame) -> None:
    st.subheader(t("Ranked by the validation loss"))
    shown = table.head(_SHOWN)
    columns = {
        "number": t("trial"), "state": t("state"), "val_loss": t("validation loss"),
        "val_accuracy": t("validation accuracy"), "kept_epoch": t("epoch"), "run": t("opened as"),
    }  # fmt: skip
    view = shown.assign(
        state=shown["state"].map(translate),
        val_accuracy=[
            format_number(value, ".1%") if value == value and value is not None else "–"
            for value in shown["val_accuracy"]
        ],
    ).rename(columns=columns | {name: translate(title) for name, title in NAMES.items()})
    event = st.dataframe(
        view.drop(columns=["seconds", "n_validation", "message"]), hide_index=True,
        selection_mode="single-row", on_select="rerun", key=f"board {chosen.name}",
        column_config={t("validation loss"): st.column_config.NumberColumn(format="%.4f")},
    )  # fmt: skip
    count = int(shown["n_validation"].max())
    st.caption(
        t("Ranked on {n} validation images; settings that are right on all of them cannot be told apart.", n=count)
        + " "
        + t(
            "The best of many trials looks better in validation than it is: the luckiest wins. Only its test tells, "
            "and only once."
        )
    )
    if event.selection.rows and not settings.read_only():
        _open(chosen, int(shown["number"].iloc[event.selection.rows[0]]))


def _open(chosen: Sweep, number: int) -> None:
    if before := promote.opened(chosen, number):
        st.page_link("pages/train.py", label=t("See the run"), query_params={"run": before.name})
        return
    if st.button(t("Open trial {number}: train it as a run and test it", number=number), type="primary"):
        with feedback.friendly():
            run = queue.submit(promote.config_of(chosen, number))
            promote.mark(chosen, number, run)
            st.switch_page("pages/train.py", query_params={"run": run.name})


def _figures(chosen: Sweep, table: pd.DataFrame) -> None:
    knobs = chosen.plan.knobs
    titles = {name: translate(NAMES[name]) for name in knobs}
    logs = [name for name, knob in knobs.items() if isinstance(knob, Span) and knob.log]
    st.subheader(t("Every trial"))
    figure = comparison.parallel(table, titles, logs)
    st.plotly_chart(figure, key="parallel", alt=t("A line a trial through its settings to its validation loss"))
    shares = leaderboard.importance(chosen)
    if shares:
        st.subheader(t("What mattered"))
        figure = comparison.importance(shares, NAMES)
        st.plotly_chart(figure, key="importance", alt=t("The share of each setting in what made good trials good"))
