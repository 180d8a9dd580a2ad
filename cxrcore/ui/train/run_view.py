"""One run: its progress, its curves while they grow, and its control."""

import streamlit as st

from cxrcore import runs
from cxrcore.evaluation import verdict
from cxrcore.features import backbones
from cxrcore.figures import formatting
from cxrcore.i18n import bind, format_number, nt, t, translate
from cxrcore.jobs import control, estimate, queue
from cxrcore.runs import FAILED, FINISHED, LIVE, QUEUED, RUNNING, STATE_LABELS, STOPPED, Run, RunMetrics, RunStatus
from cxrcore.ui import curves, feedback, head_selection, progress, resampling_note, selection, verdict_box
from cxrcore.ui.train import controls


def watch(run: Run) -> None:
    """Show one run; the page is updated every second while it lives, and not afterwards."""
    live = run.status.state in LIVE
    with st.container(border=True):
        st.fragment(bind(_view), run_every=1.0 if live else None)(run, live)
        below = st.container()  # always there, so that the notes keep their place and stay open when a run ends
        if not live:
            _toast_when_ended(run)
            with below:
                controls.ended(run, run.status)
        controls.notes(run)


def others(in_view: str | None) -> None:
    """List the other runs that run or wait."""
    found = [run for run in runs.listing() if run.status.state in LIVE and run.name != in_view]
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


def _view(run: Run, was_live: bool) -> None:
    with feedback.friendly():
        if was_live:
            st.session_state["watched"] = run.name
            queue.dispatch()
        status = run.status
        if was_live and status.state not in LIVE:
            st.rerun()  # the whole page, so that the updates end
        title = t("{title} on {dataset}", title=backbones.get(run.config.backbone).title, dataset=run.config.dataset)
        st.subheader(feedback.plain_text(run.title or title))
        _state(run, status)
        if status.state in LIVE:
            controls.warnings(run)
            controls.live(run, status)
        elif run.selection:
            head_selection.show(run, run.selection)
        _epochs(run, status)
        controls.events(run)


def _state(run: Run, status: RunStatus) -> None:
    if status.state == QUEUED:
        ahead = queue.position(run)
        text = nt("Waiting: {n} run before this one.", "Waiting: {n} runs before this one.", ahead)
        st.info(text, icon=":material/hourglass:")
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


def _running(run: Run, status: RunStatus) -> None:
    st.progress(progress.fraction(status), text=progress.stage_text(status))
    if status.paused:
        st.info(t("Paused. It keeps its place and its memory until it is resumed or stopped."), icon=":material/pause:")
    elif control.paused(run):
        st.info(t("It pauses after the current step."), icon=":material/pause:")
    elif seconds := estimate.remaining(run, status):
        duration = feedback.duration(seconds)
        if run.config.early_stopping and run.config.head != "logistic":
            st.caption(t("About {duration} left in all, less with early stopping.", duration=duration))
        else:
            st.caption(t("About {duration} left in all.", duration=duration))


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


def _epochs(run: Run, status: RunStatus) -> None:
    epochs, config = run.epochs, run.config
    if not epochs:
        return
    last, planned = epochs[-1], config.epochs + (config.tune.epochs if config.tune else 0)
    logistic = config.head == "logistic"
    progressed = {t("Epoch"): t("{done} of {all}", done=last.epoch, all=planned)}
    if logistic:
        planned, progressed = last.epoch, {t("Iteration"): str(last.epoch)}
    rate = {} if logistic else {t("Learning rate"): format_number(last.learning_rate, ".2g")}
    feedback.numbers(
        progressed
        | {
            t("Accuracy, training"): format_number(last.accuracy, ".1%"),
            t("Accuracy, validation"): format_number(last.val_accuracy, ".1%"),
            t("Loss, training"): format_number(last.loss, ".3f"),
            t("Loss, validation"): format_number(last.val_loss, ".3f"),
        }
        | rate
    )
    metrics = run.metrics
    shown = planned if status.state in LIVE else last.epoch
    curves.show(epochs, shown, metrics.kept_epoch if metrics else None, run.name, logistic)
