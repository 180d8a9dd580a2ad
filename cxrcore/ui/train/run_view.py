"""One run: its progress, its curves while they grow, and its control."""

import time
from collections.abc import Sequence

import streamlit as st

from cxrcore import runs
from cxrcore.evaluation import verdict
from cxrcore.features import backbones
from cxrcore.figures import formatting
from cxrcore.i18n import format_number, nt, t, translate
from cxrcore.jobs import control, estimate, queue
from cxrcore.runs import FAILED, FINISHED, LIVE, QUEUED, RUNNING, STATE_LABELS, STOPPED, Run, RunMetrics, RunStatus
from cxrcore.runs.models import EpochMetrics
from cxrcore.ui import curves, feedback, head_selection, progress, resampling_note, selection, verdict_box
from cxrcore.ui.fragments import fragment
from cxrcore.ui.train import controls

_DASH = "–"
_STYLE = """<style>
.st-key-run_figures { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 0.5rem; }
.st-key-run_figures [data-testid="stMetricLabel"] p { font-size: 12px; white-space: normal; }
.st-key-run_figures [data-testid="stMetricValue"] { font-size: 1.25rem; font-weight: 600; }
@media (max-width: 640px) { .st-key-run_figures { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
</style>"""


def watch(run: Run) -> None:
    """Show one run; the page is updated every second while it lives, and not afterwards."""
    live = run.status.state in LIVE
    with st.container(border=True):
        fragment(_view, run_every=1.0 if live else None)(run, live, previous(run))
        below = st.container()  # always there, so that the notes keep their place and stay open when a run ends
        if not live:
            _toast_when_ended(run)
            with below:
                controls.ended(run, run.status)
        controls.notes(run)


def others(in_view: str | None) -> None:
    """List the other runs that run or wait."""
    live = [known.run for known in runs.known() if known.status and known.status.state in LIVE]
    found = [run for run in live if run.name != in_view]
    if not found:
        return
    st.subheader(t("Also running or waiting"))
    for run in found:
        left, right = st.columns([4, 1], vertical_alignment="center")
        left.markdown(feedback.plain_text(selection.run_label(run)))
        right.page_link("pages/train.py", label=t("Open"), query_params={"run": run.name})


def _toast_when_ended(run: Run) -> None:
    """Show a toast once, if this visitor saw the run live."""
    if st.session_state.pop("watched", None) == run.name:
        icons = {FINISHED: ":material/check_circle:", FAILED: ":material/error:"}
        state = run.status.state
        icon = icons.get(state, ":material/stop_circle:")
        st.toast(t("The run has ended: {state}.", state=translate(STATE_LABELS[state])), icon=icon, duration="long")


def _view(run: Run, was_live: bool, earlier: Run | None) -> None:
    if was_live:
        st.session_state["watched"] = run.name
        queue.dispatch()
    status = run.status
    if was_live and status.state not in LIVE:
        st.rerun()  # the whole page, so that the updates end
    title = t("{title} on {dataset}", title=backbones.get(run.config.backbone).title, dataset=run.config.dataset)
    st.subheader(feedback.plain_text(run.title or title))
    epochs = run.epochs
    _state(run, status)
    if status.state != QUEUED and (epochs or status.state == RUNNING):
        _figures(run, status, epochs)
    if status.state in LIVE:
        controls.warnings(run)
        controls.live(run, status)
    elif run.selection:
        head_selection.show(run, run.selection)
    _curves(run, status, epochs, earlier)
    controls.events(run)


def _state(run: Run, status: RunStatus) -> None:
    if status.state == QUEUED:
        ahead = queue.position(run)
        text = nt("Waiting: {n} run before this one.", "Waiting: {n} runs before this one.", ahead)
        st.info(text, icon=":material/hourglass:")
        _why_it_waits(status)
    elif status.state == RUNNING:
        _running(run, status)
    elif status.state == FAILED:
        st.error(t("This run failed. {message}", message=feedback.error_text(status.message)), icon=":material/error:")
        with st.expander(t("End of the log")):
            st.code(run.log_tail() or t("(empty)"), language=None)
    elif metrics := run.metrics:
        _finished(run, metrics, status)
    elif status.state == STOPPED:
        st.warning(feedback.error_text(status.message), icon=":material/stop_circle:")


def _why_it_waits(status: RunStatus) -> None:
    """Show why the cluster could not be used, or has not begun the run yet."""
    if status.message.id:
        st.warning(feedback.error_text(status.message), icon=":material/warning:")


def _running(run: Run, status: RunStatus) -> None:
    st.progress(progress.fraction(status), text=progress.stage_text(status))
    _why_it_waits(status)
    if status.paused:
        st.info(t("Paused. It keeps its place and its memory until it is resumed or stopped."), icon=":material/pause:")
    elif control.paused(run):
        st.info(t("It pauses after the current step."), icon=":material/pause:")


def _finished(run: Run, metrics: RunMetrics, status: RunStatus) -> None:
    total = feedback.duration(metrics.seconds["total"])
    if run.averaged:
        text = t("Finished after {total}.", total=total)
        if status.state != FINISHED:
            text = t("Stopped after {total}.", total=total)
        if judged := verdict.of_run(run):
            verdict_box.show(judged, text)
        else:
            st.info(text)
        resampling_note.show(run)
    else:
        _accuracy(run, metrics, status, total)
    row = st.container(horizontal=True)
    for page, label, icon in (
        ("results", t("See the results"), ":material/analytics:"),
        ("explain", t("See the heatmaps"), ":material/visibility:"),
    ):
        row.page_link(f"pages/{page}.py", label=label, icon=icon, query_params={"run": run.name})


def _accuracy(run: Run, metrics: RunMetrics, status: RunStatus, total: str) -> None:
    accuracy = metrics.test.accuracy
    values = {
        "total": total,
        "accuracy": formatting.percent(accuracy),
        "successes": accuracy.successes,
        "n": accuracy.n,
        "interval": formatting.interval(accuracy),
    }
    if status.state == FINISHED:
        text = t(
            "Finished after {total}. Test accuracy {accuracy}: {successes} of {n} images correct, 95% interval "
            "{interval}.",
            **values,
        )
    else:
        text = t(
            "Stopped after {total}. Test accuracy {accuracy}: {successes} of {n} images correct, 95% interval "
            "{interval}.",
            **values,
        )
    if judged := verdict.of_run(run):
        verdict_box.show(judged, text)
    else:
        st.info(text)


def _figures(run: Run, status: RunStatus, epochs: Sequence[EpochMetrics]) -> None:
    """Show six numbers on one row, with a dash where one is not known yet."""
    config, live = run.config, status.state in LIVE
    last = epochs[-1] if epochs else None
    if config.head == "logistic":
        first = {t("Iteration"): str(last.epoch) if last else _DASH}
    else:
        first = {t("Epoch"): t("{done} of {all}", done=last.epoch if last else 0, all=_planned(run))}
    taken = max(0.0, (status.ended or time.time()) - status.started) if status.started else 0
    left = estimate.remaining(run, status) if status.state == RUNNING and not status.paused else None
    at_most = "≤ " if config.early_stopping and config.head != "logistic" else ""
    times = {t("Time taken"): feedback.duration(taken) if taken else _DASH}
    if live:
        times[t("Time left")] = at_most + feedback.duration(left) if left else _DASH
    numbers = (
        first
        | {
            t("Accuracy, training"): format_number(last.accuracy, ".1%") if last else _DASH,
            t("Accuracy, validation"): format_number(last.val_accuracy, ".1%") if last else _DASH,
            t("Loss, training"): format_number(last.loss, ".3f") if last else _DASH,
        }
        | ({} if live else {t("Loss, validation"): format_number(last.val_loss, ".3f") if last else _DASH})
        | times
    )
    st.html(_STYLE)
    with st.container(key="run_figures"):
        for name, value in numbers.items():
            st.metric(name, value)


def _planned(run: Run) -> int:
    config = run.config
    return config.epochs + (config.tune.epochs if config.tune else 0)


def _curves(run: Run, status: RunStatus, epochs: Sequence[EpochMetrics], earlier: Run | None) -> None:
    if not epochs:
        return
    logistic, metrics = run.config.head == "logistic", run.metrics
    planned = _planned(run) if status.state in LIVE and not logistic else epochs[-1].epoch
    before = earlier.epochs if earlier else ()
    curves.show(epochs, planned, metrics.kept_epoch if metrics else None, run.name, logistic, before)
    if not logistic:
        curves.learning_rate(epochs, run.events, run.name)


def previous(run: Run) -> Run | None:
    """Return the newest run before this one with curves on the same dataset, by epochs or by iterations as they are."""
    requested = run.requested
    logistic = requested.head == "logistic"
    for other in runs.known():
        if (theirs := other.config) is None or other.run.name >= run.name:
            continue
        same = theirs.dataset == requested.dataset and (theirs.head == "logistic") == logistic
        if same and other.run.epochs:
            return other.run
    return None
