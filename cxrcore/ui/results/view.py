"""The results of one run: accuracy with its interval, then the tabs of the Results page."""

import pandas as pd
import streamlit as st

from cxrcore import settings
from cxrcore.config.run_config import RunConfig
from cxrcore.evaluation import limitations
from cxrcore.evaluation.metrics import complete
from cxrcore.figures import formatting
from cxrcore.i18n import N_, t
from cxrcore.metric import ClassificationMetrics
from cxrcore.runs import Run
from cxrcore.runs.models import RunMetrics
from cxrcore.ui import curves, feedback, query_params, resampling_note
from cxrcore.ui.results import errors, export, images, metrics, probabilities, robustness


def show(run: Run) -> None:
    """Show the results of a run that has metrics. Only the open tab is computed."""
    stored, table = run.results, run.predictions("test")
    found = complete(stored.test, table)
    _accuracy(found, run.config)
    resampling_note.show(run)
    views = {
        N_("Images"): lambda: images.show(run, table, found),
        N_("Metrics"): lambda: metrics.show(table, found, run.positive),
        N_("Probabilities"): lambda: _probabilities(run, table),
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


def _accuracy(metrics: ClassificationMetrics, config: RunConfig) -> None:
    accuracy = metrics.accuracy
    feedback.numbers(
        {
            t("Test accuracy"): formatting.percent(accuracy),
            t("95% interval (Wilson)"): formatting.interval(accuracy),
            t("Correct"): t("{right} of {n}", right=accuracy.successes, n=accuracy.n),
            t("Test patients"): metrics.patients,
        }
    )
    if config.split.kind == "tutorial":
        st.warning(
            t(
                "The images were split at random, as in the tutorials: images of one patient may be in the training "
                "set and in the test set. The test accuracy is then too high."
            ),
            icon=":material/warning:",
        )
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


def _probabilities(run: Run, table: pd.DataFrame) -> None:
    probabilities.show(table, run.predictions("validation"), run.classes, run.positive)


def _training_curves(run: Run, stored: RunMetrics) -> None:
    epochs = run.epochs
    st.caption(t("The model has the weights of epoch {kept} of {all}.", kept=stored.kept_epoch, all=len(epochs)))
    curves.show(epochs, len(epochs), stored.kept_epoch, "results")
    curves.learning_rate(epochs)
