"""The results of one run: accuracy with its interval, then a tab for each question that one may have."""

from typing import Any

import streamlit as st

from cxrcore import settings
from cxrcore.evaluation import limits
from cxrcore.evaluation.metrics import kept_or_evaluated
from cxrcore.language import said, t
from cxrcore.report import words
from cxrcore.runs import Run
from cxrcore.ui import (
    address,
    curves,
    messages,
    results_images,
    results_mistakes,
    results_numbers,
    results_other,
    results_probabilities,
    results_takeaway,
    rounds_note,
    shortcut_view,
)


def show(run: Run) -> None:
    """Show the results of a run that has metrics. Only the open tab is computed."""
    stored = run.results
    classes, table = stored["classes"], run.predictions("test")
    metrics = kept_or_evaluated(stored, table)
    _accuracy(metrics, run.config)
    rounds_note.show(run)
    views = {
        said("Images"): lambda: results_images.show(run, table, metrics),
        said("Numbers"): lambda: results_numbers.show(table, metrics),
        said("Probabilities"): lambda: results_probabilities.show(table, run.predictions("validation"), classes),
        said("Mistakes"): lambda: results_mistakes.show(run, table, classes),
        said("Honesty"): lambda: _honesty(run),
        said("Learning"): lambda: _learning(run, stored),
        said("Take away"): lambda: results_takeaway.show(run),
    }
    if settings.read_only():  # who came for a demonstration did not come for these
        views = {name: view for name, view in views.items() if name not in ("Probabilities", "Learning")}
    for code, tab in address.tabs("tab", list(views), default="Images").items():
        with tab, messages.friendly():
            if tab.open:
                views[code]()


def _accuracy(metrics: dict[str, Any], config: dict[str, Any]) -> None:
    accuracy = metrics["accuracy"]
    messages.numbers(
        {
            t("Test accuracy"): words.percent(accuracy),
            t("95% interval (Wilson)"): words.interval(accuracy),
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
    if accuracy["n"] < limits.SMALL_TEST:
        st.caption(
            t(
                "{n} test images are few: on new images of the same kind the true accuracy may well be anywhere "
                "from {interval}. That counts images as independent, though they come from {patients} patients, "
                "and it says nothing about another hospital.",
                n=accuracy["n"],
                interval=words.interval(accuracy),
                patients=metrics["patients"],
            )
        )


def _honesty(run: Run) -> None:
    results_other.show(run)
    shortcut_view.show(run)


def _learning(run: Run, stored: dict[str, Any]) -> None:
    epochs = run.epochs
    st.caption(
        t("Epoch {kept} of {all} became the model.", kept=stored["kept_epoch"], all=len(epochs))
    )  # fmt: skip
    curves.show(epochs, len(epochs), stored["kept_epoch"], "learning")
    curves.learning_rate(epochs)
