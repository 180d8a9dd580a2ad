"""What one can do with a run while it waits, learns, or has ended."""

from typing import Any

import streamlit as st

from cxrcore.config import command
from cxrcore.i18n import t
from cxrcore.jobs import control, queue
from cxrcore.runs import FAILED, FINISHED, RUNNING, STOPPED, Run
from cxrcore.ui import feedback


def live(run: Run, status: dict[str, Any]) -> None:
    """Show the buttons of a run that waits or runs."""
    row = st.container(horizontal=True)
    if status["state"] == RUNNING:
        _pause(row, run)
    elif queue.waiting()[:1] != [run] and row.button(
        t("Move up"), icon=":material/arrow_upward:", key=f"up {run.name}"
    ):
        _do(lambda: control.move_up(run))
    if row.button(t("Stop"), icon=":material/stop_circle:", key=f"stop {run.name}"):
        with st.spinner(t("Stopping")):
            _do(lambda: queue.stop(run))
    if status["state"] == RUNNING and status.get("stage") == "training":
        with row.popover(t("Learning rate"), icon=":material/speed:"):
            _rate(run)


def _pause(row: Any, run: Run) -> None:
    if control.paused(run):
        if row.button(t("Resume"), icon=":material/play_arrow:", key=f"resume {run.name}", type="primary"):
            _do(lambda: control.resume(run))
    elif row.button(t("Pause"), icon=":material/pause:", key=f"pause {run.name}"):
        _do(lambda: control.pause(run))


def _rate(run: Run) -> None:
    epochs = run.epochs
    now = epochs[-1]["learning_rate"] if epochs else run.config["learning_rate"]
    rate = st.number_input(
        t("From the next epoch on"),
        1e-9,
        10.0,
        min(10.0, max(1e-9, float(now))),
        format="%.6f",
        step=1e-4,
        key=f"rate of {run.name}",
    )
    if st.button(t("Set"), key=f"set rate {run.name}"):
        _do(lambda: control.set_rate(run, rate))


def ended(run: Run, status: dict[str, Any]) -> None:
    """Show how a run that has ended can go on, its note, and the command that repeats it."""
    if status["state"] in {FINISHED, STOPPED, FAILED}:
        with st.popover(t("Go on"), icon=":material/forward:"):
            more = st.number_input(
                t("More epochs"), 0, 100_000, 0 if status["state"] != FINISHED else 50, key=f"more {run.name}",
                help=t("Than it was to have. It goes on from its last epoch, with the same weights and optimiser. "
                       "What was measured on the old model (shortcuts, checks of heatmaps, other data) is then gone."),
            )  # fmt: skip
            if st.button(t("Go on"), key=f"go on {run.name}", type="primary"):
                _do(lambda: control.go_on(run, int(more)))


def notes(run: Run) -> None:
    """Show the run's note, which is saved when the field is left, and the command that repeats the run."""
    with st.expander(t("Note, and the command that repeats this run")):
        key = f"note {run.name}"
        st.text_area(
            t("Note"), run.card["note"], key=key, on_change=_note, args=(run, key), height=80,
            placeholder=t("What you tried, and what you saw."),
        )  # fmt: skip
        st.caption(t("The same training on the command line:"))
        st.code(command.command(run.config), language="bash", wrap_lines=True)


def events(run: Run) -> None:
    """Say what was done to the run while it learned."""
    for event in run.events:
        st.caption(
            t(
                "From epoch {epoch} on, the learning rate was set to {rate:g}.",
                epoch=event["epoch"],
                rate=event["value"],
            )
        )


def _note(run: Run, key: str) -> None:
    with feedback.friendly():
        run.describe(note=st.session_state[key])


def _do(action: Any) -> None:
    with feedback.friendly():
        action()
        st.rerun()
