"""Watching a run: what it does, its curves while they grow, and the button that stops it."""

from typing import Any

import streamlit as st

from cxrcore import runs
from cxrcore.features import backbones
from cxrcore.jobs import queue
from cxrcore.report import figures
from cxrcore.runs import FAILED, FINISHED, LIVE, QUEUED, RUNNING, STOPPED, Run
from cxrcore.ui import choose, messages, progress

_POINTS = 400


def watch(run: Run) -> None:
    """Show one run; the page looks again every second while it lives, and not at all afterwards."""
    live = run.status["state"] in LIVE
    with st.container(border=True):
        st.fragment(_view, run_every=1.0 if live else None)(run, live)


def others(in_view: str | None) -> None:
    """List the other runs that run or wait."""
    found = [run for run in runs.listing() if run.status["state"] in LIVE and run.name != in_view]
    if not found:
        return
    st.subheader("Also running or waiting")
    for run in found:
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(choose.run_label(run))
        right.page_link("pages/train.py", label="Watch", query_params={"run": run.name})


def _view(run: Run, was_live: bool) -> None:
    if was_live:
        with messages.friendly():
            queue.dispatch()
    status, config = run.status, run.config
    if was_live and status["state"] not in LIVE:
        st.rerun()  # the whole page, so that the looking ends
    title = backbones.get(config["backbone"]).title
    head, button = st.columns([4, 1], vertical_alignment="center")
    head.subheader(f"{title} on {config['dataset']}")
    if status["state"] in LIVE and button.button("Stop", icon=":material/stop_circle:", width="stretch"):
        with messages.friendly(), st.spinner("Stopping"):
            queue.stop(run)
        st.rerun()
    _state(run, status)
    _epochs(run, status, config)


def _state(run: Run, status: dict[str, Any]) -> None:
    state, message = status["state"], status.get("message", "")
    if state == QUEUED:
        ahead = queue.position(run)
        st.info(f"Waiting: {ahead} run{'s' if ahead != 1 else ''} before this one.", icon=":material/hourglass:")
    elif state == RUNNING:
        st.progress(progress.fraction(status), text=progress.stage_text(status))
    elif state == FAILED:
        st.error(f"This run failed. {message}", icon=":material/error:")
        with st.expander("End of its log"):
            st.code(run.log_tail() or "(empty)", language=None)
    elif state == STOPPED and not run.metrics:
        st.warning(message, icon=":material/stop_circle:")
    elif metrics := run.metrics:
        accuracy, verb = metrics["accuracy"], "Finished" if state == FINISHED else "Stopped"
        st.success(
            f"{verb} after {messages.duration(metrics['seconds']['total'])}. Test accuracy "
            f"{messages.percent(accuracy)}: {accuracy['successes']} of {accuracy['n']} images right, 95 % interval "
            f"{messages.interval(accuracy)}.",
            icon=":material/check_circle:",
        )
        left, right, _ = st.columns([1, 1, 3])
        left.page_link(
            "pages/results.py",
            label="See the results",
            icon=":material/analytics:",
            query_params={"run": run.name},
        )
        right.page_link(
            "pages/explain.py", label="See where it looks", icon=":material/visibility:",
            query_params={"run": run.name},
        )  # fmt: skip


def _epochs(run: Run, status: dict[str, Any], config: dict[str, Any]) -> None:
    epochs = run.epochs
    if not epochs:
        return
    last = epochs[-1]
    messages.numbers(
        {
            "Epoch": f"{last['epoch']} of {config['epochs']}",
            "Accuracy, training": f"{last['accuracy']:.1%}",
            "Accuracy, validation": f"{last['val_accuracy']:.1%}",
            "Loss, training": f"{last['loss']:.3f}",
            "Loss, validation": f"{last['val_loss']:.3f}",
            "Learning rate": f"{last['learning_rate']:.2g}",
        }
    )
    step = max(1, len(epochs) // _POINTS)
    thinned = [*epochs[:-1:step], last]
    planned = config["epochs"] if status["state"] in LIVE else len(epochs)
    kept = (run.metrics or {}).get("kept_epoch")
    left, right = st.columns(2)
    for column, metric, title in ((left, "accuracy", "Accuracy"), (right, "loss", "Loss")):
        figure = figures.curves(thinned, metric, title, planned, kept)
        alt = f"{title} by epoch; the last is {last[metric]:.3f} in training, {last[f'val_{metric}']:.3f} in validation"
        column.plotly_chart(figure, key=f"curve {metric} {run.name}", alt=alt)
