"""Control of a run while it waits, trains, or has ended."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cxrcore.config.command import command
from cxrcore.i18n import t, translate
from cxrcore.jobs import control, queue
from cxrcore.runs import FAILED, FINISHED, LIVE, RUNNING, WARNINGS, Run, RunEvent, RunStatus
from cxrcore.ui import feedback


def live(run: Run, status: RunStatus) -> None:
    """Show the buttons of a run that waits or runs."""
    row = st.container(horizontal=True)
    if status.state == RUNNING:
        _pause(row, run)
    elif queue.waiting()[:1] != [run] and row.button(
        t("Move up"), icon=":material/arrow_upward:", key=f"up {run.name}"
    ):
        _do(lambda: control.move_up(run))
    if row.button(t("Stop"), icon=":material/stop_circle:", key=f"stop {run.name}"):
        with st.spinner(t("Stopping")):
            _do(lambda: queue.stop(run))
    if status.state == RUNNING and status.stage == "training" and run.config.head != "logistic":
        with row.popover(t("Learning rate"), icon=":material/speed:"):
            _learning_rate(run)


def _pause(row: DeltaGenerator, run: Run) -> None:
    if control.paused(run):
        if row.button(t("Resume"), icon=":material/play_arrow:", key=f"resume {run.name}", type="primary"):
            _do(lambda: control.resume(run))
    elif row.button(t("Pause"), icon=":material/pause:", key=f"pause {run.name}"):
        _do(lambda: control.pause(run))


def _learning_rate(run: Run) -> None:
    epochs = run.epochs
    now = epochs[-1].learning_rate if epochs else run.config.learning_rate
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
        _do(lambda: control.set_learning_rate(run, rate))


def ended(run: Run, status: RunStatus) -> None:
    """Show how a run that has ended can be continued; a logistic head that was solved is at its optimum."""
    if status.state in LIVE or (run.config.head == "logistic" and run.metrics and status.state != FAILED):
        return
    with st.popover(t("Continue training"), icon=":material/forward:"):
        more = st.number_input(
            t("Additional epochs"),
            0,
            100_000,
            50 if status.state == FINISHED else 0,
            key=f"more {run.name}",
            help=t(
                "In addition to those planned. Training continues from the last epoch with the same weights and "
                "optimiser. Audits, faithfulness checks and external validation of the old model are removed."
            ),
        )
        if st.button(t("Continue"), key=f"continue {run.name}", type="primary"):
            _do(lambda: control.continue_run(run, int(more)))


def notes(run: Run) -> None:
    """Show the run's note, which is saved when the field is left, and the command that repeats the run."""
    with st.expander(t("Note and command"), key=f"notes {run.name}"):
        key = f"note {run.name}"
        st.text_area(
            t("Note"),
            run.card.note,
            key=key,
            on_change=_save_note,
            args=(run, key),
            height=80,
            placeholder=t("What you tried, and what you saw."),
        )
        st.caption(t("The command that trains this run again:"))
        st.code(command(run.requested), language="bash", wrap_lines=True)


def events(run: Run) -> None:
    """Show the changes of the learning rate by the user and by the plateau schedule."""
    for event in run.events:
        if event.event not in WARNINGS:
            st.caption(_event_text(event))


def warnings(run: Run) -> None:
    """Show what went wrong in the first epochs; of a run that has ended, the verdict says it."""
    for event in run.events:
        if event.event in WARNINGS:
            st.warning(feedback.error_text(event.message), icon=":material/warning:")


def _event_text(event: RunEvent) -> str:
    values = {"epoch": event.epoch, "rate": event.value}
    if event.event == "reduced":
        return t("Epoch {epoch}: the schedule reduced the learning rate to {rate:g} on a plateau.", **values)
    text = t("Epoch {epoch}: the learning rate was set to {rate:g}.", **values)
    return f"{text} {translate(event.message)}".strip()


def _save_note(run: Run, key: str) -> None:
    with feedback.friendly():
        run.describe(note=st.session_state[key])


def _do(action: Callable[[], object]) -> None:
    with feedback.friendly():
        action()
        st.rerun()
