"""Watching a run: what it does, its curves while they grow, and the button that stops it."""

from typing import Any

import streamlit as st

from cxrcore import runs
from cxrcore.features import backbones
from cxrcore.figures import formatting
from cxrcore.i18n import bind, format_number, nt, t, translate
from cxrcore.jobs import control, estimate, queue
from cxrcore.runs import FAILED, FINISHED, LIVE, QUEUED, RUNNING, STOPPED, Run
from cxrcore.ui import curves, feedback, progress, resampling_note, selection
from cxrcore.ui.train import controls


def watch(run: Run) -> None:
    """Show one run; the page looks again every second while it lives, and not at all afterwards."""
    live = run.status["state"] in LIVE
    with st.container(border=True):
        st.fragment(bind(_view), run_every=1.0 if live else None)(run, live)
        if not live:
            _say_that_it_ended(run)
            controls.ended(run, run.status)
        controls.notes(run)


def others(in_view: str | None) -> None:
    """List the other runs that run or wait."""
    found = [run for run in runs.listing() if run.status["state"] in LIVE and run.name != in_view]
    if not found:
        return
    st.subheader(t("Also running or waiting"))
    for run in found:
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(selection.run_label(run))
        right.page_link("pages/train.py", label=t("Watch"), query_params={"run": run.name})


def _say_that_it_ended(run: Run) -> None:
    """Show a toast once, if this visitor saw the run live."""
    if st.session_state.pop("watched", None) == run.name:
        icons = {FINISHED: ":material/check_circle:", FAILED: ":material/error:"}
        icon = icons.get(run.status["state"], ":material/stop_circle:")
        st.toast(t("The run has ended: {state}.", state=translate(run.status["state"])), icon=icon, duration="long")


def _view(run: Run, was_live: bool) -> None:
    if was_live:
        st.session_state["watched"] = run.name
        with feedback.friendly():
            queue.dispatch()
    status, config = run.status, run.config
    if was_live and status["state"] not in LIVE:
        st.rerun()  # the whole page, so that the looking ends
    title = backbones.get(config["backbone"]).title
    st.subheader(run.card["title"] or t("{title} on {dataset}", title=title, dataset=config["dataset"]))
    _state(run, status)
    if status["state"] in LIVE:
        controls.live(run, status)
    _epochs(run, status, config)
    controls.events(run)


def _state(run: Run, status: dict[str, Any]) -> None:
    state, message = status["state"], status.get("message", "")
    if state == QUEUED:
        ahead = queue.position(run)
        st.info(
            nt("Waiting: {n} run before this one.", "Waiting: {n} runs before this one.", ahead),
            icon=":material/hourglass:",
        )
    elif state == RUNNING:
        st.progress(progress.fraction(status), text=progress.stage_text(status))
        seconds = estimate.left(run, status)
        if status.get("paused"):
            st.info(
                t("Paused. It keeps its place and its memory until it goes on or is stopped."), icon=":material/pause:"
            )
        elif control.paused(run):
            st.info(t("It pauses as soon as this step allows."), icon=":material/pause:")
        elif seconds:
            st.caption(t("About {duration} left in all, less if it stops early.", duration=feedback.duration(seconds)))
    elif state == FAILED:
        st.error(t("This run failed. {message}", message=translate(message)), icon=":material/error:")
        with st.expander(t("End of its log")):
            st.code(run.log_tail() or t("(empty)"), language=None)
    elif state == STOPPED and not run.metrics:
        st.warning(translate(message), icon=":material/stop_circle:")
    elif metrics := run.metrics:
        accuracy, verb = metrics["accuracy"], t("Finished") if state == FINISHED else t("Stopped")
        st.success(
            t(
                "{verb} after {total}. Test accuracy {accuracy}: {successes} of {n} images right, 95% interval "
                "{interval}.",
                verb=verb,
                total=feedback.duration(metrics["seconds"]["total"]),
                accuracy=formatting.percent(accuracy),
                successes=accuracy["successes"],
                n=accuracy["n"],
                interval=formatting.interval(accuracy),
            ),
            icon=":material/check_circle:",
        )
        resampling_note.show(run)
        left, right, _ = st.columns([1, 1, 3])
        left.page_link(
            "pages/results.py",
            label=t("See the results"),
            icon=":material/analytics:",
            query_params={"run": run.name},
        )
        right.page_link(
            "pages/explain.py", label=t("See where it looks"), icon=":material/visibility:",
            query_params={"run": run.name},
        )  # fmt: skip


def _epochs(run: Run, status: dict[str, Any], config: dict[str, Any]) -> None:
    epochs = run.epochs
    if not epochs:
        return
    last, planned = epochs[-1], config["epochs"] + (config.get("tune") or {"epochs": 0})["epochs"]
    feedback.numbers(
        {
            t("Epoch"): t("{done} of {all}", done=last["epoch"], all=planned),
            t("Accuracy, training"): format_number(last["accuracy"], ".1%"),
            t("Accuracy, validation"): format_number(last["val_accuracy"], ".1%"),
            t("Loss, training"): format_number(last["loss"], ".3f"),
            t("Loss, validation"): format_number(last["val_loss"], ".3f"),
            t("Learning rate"): format_number(last["learning_rate"], ".2g"),
        }
    )
    curves.show(
        epochs, planned if status["state"] in LIVE else last["epoch"], (run.metrics or {}).get("kept_epoch"), run.name
    )
