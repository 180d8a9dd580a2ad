"""The results of one run: accuracy with its interval, then the tabs of the Results page."""

import pandas as pd
import streamlit as st

from cxrcore import settings
from cxrcore.config.run_config import RunConfig
from cxrcore.data import classes
from cxrcore.evaluation import limitations, reported, subgroups, verdict
from cxrcore.evaluation.metrics import evaluate
from cxrcore.evaluation.reported import ReportedResult
from cxrcore.evaluation.verdict import Verdict
from cxrcore.figures import formatting
from cxrcore.i18n import N_, t, translate
from cxrcore.metric import ClassificationMetrics
from cxrcore.runs import EVENTS, Run
from cxrcore.runs.models import RunMetrics
from cxrcore.ui import curves, digest, feedback, head_selection, query_params, resampling_note, verdict_box
from cxrcore.ui.results import (
    calibration_effect,
    errors,
    export,
    images,
    learning_curve,
    metrics,
    probabilities,
    robustness,
)

_POOLED, _FIRST = "pooled", "first"  # what the tabs are of

_LONGEST_NAME = 24


def show(run: Run) -> None:
    """Show the results of a run that has metrics. Only the open tab is computed."""
    stored = run.results
    if run.averaged:
        judged = verdict.of_run(run)
        resampling_note.show(run, _baseline(judged) if judged else {})
        if judged:
            verdict_box.show(judged)
        _split_warning(run.config)
        result = reported.load(run, _pooled(run))
        found = _evaluated(run, result)
    else:
        result = reported.load(run)
        found = _evaluated(run, result)
        _accuracy(found, run)
    table = result.table
    views = {
        N_("Images"): lambda: images.show(run, table, found),
        N_("Metrics"): lambda: _metrics(run, result, found),
        N_("Probabilities"): lambda: _probabilities(run, result),
        N_("Errors"): lambda: errors.show(run, table, run.classes),
        N_("Robustness"): lambda: robustness.show(run),
        N_("Training curves"): lambda: _training_curves(run, stored),
        N_("Export"): lambda: export.show(run),
    }
    if settings.read_only():  # an audience needs fewer tabs
        views = {name: view for name, view in views.items() if name not in ("Probabilities", "Training curves")}
    for code, tab in query_params.tabs("tab", list(views), default="Images").items():
        with tab, feedback.friendly():
            if tab.open:
                views[code]()


def _accuracy(metrics: ClassificationMetrics, run: Run) -> None:
    accuracy, judged = metrics.accuracy, verdict.of_run(run)
    numbers: dict[str, str | int] = {
        t("Test accuracy"): formatting.percent(accuracy),
        t("95% interval (Wilson)"): formatting.interval(accuracy),
    }
    numbers |= _baseline(judged) if judged else {}
    numbers[t("Correct")] = t("{right} of {n}", right=accuracy.successes, n=accuracy.n)
    numbers[t("Test patients")] = metrics.patients
    feedback.numbers(numbers)
    if judged:
        verdict_box.show(judged)
    _split_warning(run.config)
    if accuracy.n < limitations.SMALL_TEST:
        st.caption(
            t(
                "With {n} test images, the 95% interval of the accuracy is {interval}. It treats images as "
                "independent, although they come from {patients} patients, and does not cover other hospitals.",
                n=accuracy.n,
                interval=formatting.interval(accuracy),
                patients=metrics.patients,
            )
        )


def _split_warning(config: RunConfig) -> None:
    if config.split.kind == "tutorial":
        st.warning(
            t(
                "The images were split at random, as in the tutorials: images of one patient may be in the training "
                "set and in the test set. The test accuracy is then too high."
            ),
            icon=":material/warning:",
        )


def _pooled(run: Run) -> bool:
    """Say what the tabs below are of; of k-fold the user chooses. Return whether all folds are pooled."""
    pooled = True
    if reported.can_pool(run):
        labels = {_POOLED: t("All {n} folds, pooled", n=len(run.averaged.done) if run.averaged else 0)}
        labels[_FIRST] = t("First fold, the saved model")
        chosen = st.segmented_control(
            t("Results below"),
            list(labels),
            format_func=labels.__getitem__,
            required=True,
            key=query_params.start("folds", list(labels), _POOLED),
        )
        query_params.keep("folds", chosen, _POOLED)
        pooled = chosen == _POOLED
    if text := reported.basis(run, pooled):
        st.caption(translate(text))
    return pooled


def _evaluated(run: Run, result: ReportedResult) -> ClassificationMetrics:
    if not result.pooled:
        return reported.evaluate(run, result)
    return _pooled_metrics(result.table, tuple(run.classes))


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=digest.TABLES)
def _pooled_metrics(table: pd.DataFrame, names: tuple[str, ...]) -> ClassificationMetrics:
    return evaluate(table, names, by_patient=True)


def _metrics(run: Run, result: ReportedResult, found: ClassificationMetrics) -> None:
    sources = subgroups.source_numbers(run.table["source"], result.table["source"])
    metrics.show(result.table, found, run.positive, sources, by_patient=result.pooled)
    learning_curve.show(run, result.table)


def _probabilities(run: Run, result: ReportedResult) -> None:
    validation = None if result.pooled or run.selection else run.predictions("validation")
    probabilities.show(result.table, validation, run.classes, run.positive)
    if run.selection and not result.pooled:
        calibration_effect.show(run)


def _baseline(judged: Verdict) -> dict[str, str]:
    name = formatting.shortened(classes.label(judged.majority), _LONGEST_NAME)
    title = t("Always answering {label}", label=feedback.plain_text(name))
    return {title: formatting.with_interval(judged.baseline)}


def _training_curves(run: Run, stored: RunMetrics) -> None:
    epochs = run.epochs
    if not epochs:
        st.warning(t("The epochs cannot be shown: {file} is missing or damaged.", file=EVENTS))
        return
    if run.selection:
        head_selection.show(run, run.selection)
        curves.show(epochs, len(epochs), None, "results", iterations=True)
        return
    st.caption(t("The model has the weights of epoch {kept} of {all}.", kept=stored.kept_epoch, all=len(epochs)))
    curves.show(epochs, len(epochs), stored.kept_epoch, "results")
    curves.learning_rate(epochs)
