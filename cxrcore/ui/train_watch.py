"""Watching a run: what it does, its curves while they grow, and the button that stops it."""

from typing import Any

import streamlit as st

from cxrcore import runs
from cxrcore.features import backbones
from cxrcore.jobs import queue
from cxrcore.language import bound, local, nt, t, translated
from cxrcore.report import words
from cxrcore.runs import FAILED, FINISHED, LIVE, QUEUED, RUNNING, STOPPED, Run
from cxrcore.ui import choose, curves, messages, progress


def watch(run: Run) -> None:
    """Show one run; the page looks again every second while it lives, and not at all afterwards."""
    live = run.status["state"] in LIVE
    with st.container(border=True):
        st.fragment(bound(_view), run_every=1.0 if live else None)(run, live)


def others(in_view: str | None) -> None:
    """List the other runs that run or wait."""
    found = [run for run in runs.listing() if run.status["state"] in LIVE and run.name != in_view]
    if not found:
        return
    st.subheader(t("Also running or waiting"))
    for run in found:
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(choose.run_label(run))
        right.page_link("pages/train.py", label=t("Watch"), query_params={"run": run.name})


def _view(run: Run, was_live: bool) -> None:
    if was_live:
        with messages.friendly():
            queue.dispatch()
    status, config = run.status, run.config
    if was_live and status["state"] not in LIVE:
        st.rerun()  # the whole page, so that the looking ends
    title = backbones.get(config["backbone"]).title
    head, button = st.columns([4, 1], vertical_alignment="center")
    head.subheader(t("{title} on {dataset}", title=title, dataset=config["dataset"]))
    if status["state"] in LIVE and button.button(t("Stop"), icon=":material/stop_circle:", width="stretch"):
        with messages.friendly(), st.spinner(t("Stopping")):
            queue.stop(run)
        st.rerun()
    _state(run, status)
    _epochs(run, status, config)


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
    elif state == FAILED:
        st.error(t("This run failed. {message}", message=translated(message)), icon=":material/error:")
        with st.expander(t("End of its log")):
            st.code(run.log_tail() or t("(empty)"), language=None)
    elif state == STOPPED and not run.metrics:
        st.warning(translated(message), icon=":material/stop_circle:")
    elif metrics := run.metrics:
        accuracy, verb = metrics["accuracy"], t("Finished") if state == FINISHED else t("Stopped")
        st.success(
            t(
                "{verb} after {total}. Test accuracy {accuracy}: {successes} of {n} images right, 95% interval "
                "{interval}.",
                verb=verb,
                total=messages.duration(metrics["seconds"]["total"]),
                accuracy=words.percent(accuracy),
                successes=accuracy["successes"],
                n=accuracy["n"],
                interval=words.interval(accuracy),
            ),
            icon=":material/check_circle:",
        )
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
    last = epochs[-1]
    messages.numbers(
        {
            t("Epoch"): t("{done} of {all}", done=last["epoch"], all=config["epochs"]),
            t("Accuracy, training"): local(last["accuracy"], ".1%"),
            t("Accuracy, validation"): local(last["val_accuracy"], ".1%"),
            t("Loss, training"): local(last["loss"], ".3f"),
            t("Loss, validation"): local(last["val_loss"], ".3f"),
            t("Learning rate"): local(last["learning_rate"], ".2g"),
        }
    )
    planned = config["epochs"] if status["state"] in LIVE else len(epochs)
    curves.show(epochs, planned, (run.metrics or {}).get("kept_epoch"), run.name)
