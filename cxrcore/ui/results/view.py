"""The results of one run: accuracy with its interval, then a tab for each question that one may have."""

from typing import Any

import streamlit as st

from cxrcore import settings
from cxrcore.evaluation import limitations
from cxrcore.evaluation.metrics import kept_or_evaluated
from cxrcore.figures import formatting
from cxrcore.i18n import N_, t
from cxrcore.runs import Run
from cxrcore.ui import curves, feedback, query_params, resampling_note
from cxrcore.ui.results import errors, export, external_validation, images, probabilities, shortcut_audit
from cxrcore.ui.results import metrics as metrics_tab


def show(run: Run) -> None:
    """Show the results of a run that has metrics. Only the open tab is computed."""
    stored = run.results
    classes, table = stored["classes"], run.predictions("test")
    metrics = kept_or_evaluated(stored, table)
    _accuracy(metrics, run.config)
    resampling_note.show(run)
    views = {
        N_("Images"): lambda: images.show(run, table, metrics),
        N_("Numbers"): lambda: metrics_tab.show(table, metrics),
        N_("Probabilities"): lambda: probabilities.show(table, run.predictions("validation"), classes),
        N_("Mistakes"): lambda: errors.show(run, table, classes),
        N_("Honesty"): lambda: _honesty(run),
        N_("Learning"): lambda: _learning(run, stored),
        N_("Take away"): lambda: export.show(run),
    }
    if settings.read_only():  # who came for a demonstration did not come for these
        views = {name: view for name, view in views.items() if name not in ("Probabilities", "Learning")}
    for code, tab in query_params.tabs("tab", list(views), default="Images").items():
        with tab, feedback.friendly():
            if tab.open:
                views[code]()


def _accuracy(metrics: dict[str, Any], config: dict[str, Any]) -> None:
    accuracy = metrics["accuracy"]
    feedback.numbers(
        {
            t("Test accuracy"): formatting.percent(accuracy),
            t("95% interval (Wilson)"): formatting.interval(accuracy),
            t("Right"): t("{right} of {n}", right=accuracy["successes"], n=accuracy["n"]),
            t("Test patients"): metrics["patients"],
        }
    )
    if config["split"]["kind"] == "tutorial":
        st.warning(
            t(
                "The images were split at random, as in the tutorials: images of one patient may be among those "
                "it learned from and those it was tested on, which makes the result look better than it is."
            ),
            icon=":material/warning:",
        )
    if accuracy["n"] < limitations.SMALL_TEST:
        st.caption(
            t(
                "{n} test images are few: on new images of the same kind the true accuracy may well be anywhere "
                "from {interval}. That counts images as independent, though they come from {patients} patients, "
                "and it says nothing about another hospital.",
                n=accuracy["n"],
                interval=formatting.interval(accuracy),
                patients=metrics["patients"],
            )
        )


def _honesty(run: Run) -> None:
    external_validation.show(run)
    shortcut_audit.show(run)


def _learning(run: Run, stored: dict[str, Any]) -> None:
    epochs = run.epochs
    st.caption(
        t("Epoch {kept} of {all} became the model.", kept=stored["kept_epoch"], all=len(epochs))
    )  # fmt: skip
    curves.show(epochs, len(epochs), stored["kept_epoch"], "learning")
    curves.learning_rate(epochs)
