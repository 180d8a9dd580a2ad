"""The results of one run: accuracy with its interval, confusion matrix, every metric with its interval, the grid."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cxrcore.evaluation import scores
from cxrcore.evaluation.metrics import evaluate, probability_columns
from cxrcore.report import score_figures
from cxrcore.runs import Run
from cxrcore.ui import messages, results_decision, results_grid, results_other, shortcut_view

_OF_A_CLASS = {
    "recall": "sensitivity (recall)",
    "specificity": "specificity",
    "precision": "PPV (precision)",
    "npv": "NPV",
    "f1": "F1",
}
_OF_ALL = {
    "balanced_accuracy": "Balanced accuracy: the mean sensitivity of the classes",
    "macro_f1": "Macro F1: the mean F1 of the classes",
}
_AGREEMENT = {
    "kappa": "Cohen's kappa: agreement beyond chance, 0 to 1",
    "matthews": "Matthews's correlation, -1 to 1",
}


def show(run: Run) -> None:
    """Show the results of a run that has metrics."""
    stored = run.metrics
    assert stored is not None
    classes, table = stored["classes"], run.predictions("test")
    metrics = _metrics(table, tuple(classes))
    _accuracy(metrics, run.config)
    results_grid.confusion(metrics)
    results_grid.show(run, classes)
    _numbers(metrics)
    _probabilities(table, classes)
    results_decision.show(table, classes)
    results_other.show(run)
    shortcut_view.show(run)


@st.cache_data(max_entries=8, show_spinner="Resampling for the intervals")
def _metrics(table: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, Any]:
    return evaluate(table, classes)


@st.cache_data(max_entries=8, show_spinner="Resampling for the intervals")
def _scores(table: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, Any]:
    return scores.evaluate(table, classes)


def _accuracy(metrics: dict[str, Any], config: dict[str, Any]) -> None:
    accuracy = metrics["accuracy"]
    messages.numbers(
        {
            "Test accuracy": messages.percent(accuracy),
            "95 % interval (Wilson)": messages.interval(accuracy),
            "Right": f"{accuracy['successes']} of {accuracy['n']}",
            "Test patients": metrics["patients"],
        }
    )
    if config["split"]["kind"] == "tutorial":
        st.warning(
            "The images were split at random, as in the tutorials: images of one patient may be among those it "
            "learned from and those it was tested on, which makes the result look better than it is.",
            icon=":material/warning:",
        )
    if accuracy["n"] < 200:
        st.caption(
            f"{accuracy['n']} test images are few: on new images of the same kind the true accuracy may well be "
            f"anywhere from {messages.interval(accuracy)}. That counts images as independent, though they come from "
            f"{metrics['patients']} patients, and it says nothing about another hospital."
        )


def _numbers(metrics: dict[str, Any]) -> None:
    st.subheader("By class")
    rows = []
    for name, values in metrics["by_class"].items():
        row = {"class": name, "images": values["n"]}
        rows.append(row | {title: messages.with_interval(values[key]) for key, title in _OF_A_CLASS.items()})
    st.dataframe(rows, hide_index=True)
    st.caption(
        "Sensitivity: of those that are, how many are called so. Specificity: of those that are not, how many are not "
        "called so. PPV and NPV, the predictive values: of those called so (or not), how many are (or are not); they "
        "hold for the mix of classes tested here, not for a hospital's. In brackets the 95 % interval: Wilson's, for "
        "F1 the bootstrap by patient (Wilson's where all are right)."
    )
    few = [name for name, values in metrics["by_class"].items() if values["n"] < 30]
    if few:
        st.warning(f"Fewer than 30 test images of {', '.join(few)}: read the intervals, not the values.")
    st.subheader("Of all classes together")
    whole = [{"metric": title, "value": messages.with_interval(metrics[key])} for key, title in _OF_ALL.items()]
    whole += [{"metric": title, "value": messages.plain(metrics[key])} for key, title in _AGREEMENT.items()]
    st.dataframe(whole, hide_index=True)


def _probabilities(table: pd.DataFrame, classes: list[str]) -> None:
    st.subheader("What the probabilities are worth")
    found = _scores(table, tuple(classes))
    columns = probability_columns(classes)
    by_class = {name: table[column].to_numpy() for name, column in zip(classes, columns, strict=True)}
    true = table["label"].map({name: k for k, name in enumerate(classes)}).to_numpy()
    left, middle, right = st.columns(3)
    left.plotly_chart(score_figures.roc(table["label"], by_class), key="roc", alt="ROC curve of each class")
    middle.plotly_chart(score_figures.precision_recall(table["label"], by_class), key="pr", alt="Precision and recall")
    bins = scores.reliability(true, np.asarray(table[columns], float))
    right.plotly_chart(score_figures.reliability(bins), key="reliability", alt="Share right by confidence")
    rows = [
        {
            "class": name,
            "area under ROC": messages.plain(values["roc_auc"]),
            "average precision": messages.plain(values["average_precision"]),
        }
        for name, values in found["by_class"].items()
    ]
    st.dataframe(rows, hide_index=True)
    st.caption(
        f"Each class against the rest. Calibration: expected error {messages.with_interval(found['ece'])}, Brier score "
        f"{messages.plain(found['brier'])} (0 is best, 2 worst). A dot below the line is a model surer "
        f"than it should be. Intervals by bootstrap over patients."
    )
