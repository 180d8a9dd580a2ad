"""What the probabilities are worth: ROC, precision and recall, calibration before and after temperature scaling."""

from typing import Any

import pandas as pd
import streamlit as st

from cxrcore.evaluation import calibration, probability_metrics
from cxrcore.figures import formatting, probability_curves
from cxrcore.i18n import t, translate
from cxrcore.ui.results import operating_point


def show(table: pd.DataFrame, validation: pd.DataFrame, classes: list[str]) -> None:
    """Show curves, calibration and what follows from another decision."""
    table = _calibrated(table, validation, classes)
    with st.spinner(t("Resampling for the intervals")):
        found = _scores(table, tuple(classes))
    figures = probability_curves.of(table, classes)
    alts = {
        "roc": t("ROC curve of each class"),
        "precision_recall": t("Precision and recall"),
        "reliability": t("Share right by confidence"),
    }
    for column, (name, alt) in zip(st.columns(3), alts.items(), strict=True):
        column.plotly_chart(figures[name], key=name, alt=alt)
    rows = [
        {
            t("class"): translate(name),
            t("area under ROC"): formatting.plain(values["roc_auc"]),
            t("average precision"): formatting.plain(values["average_precision"]),
        }
        for name, values in found["by_class"].items()
    ]
    st.dataframe(rows, hide_index=True)
    st.caption(
        t(
            "Each class against the rest. Calibration: expected error {ece}, Brier score {brier} (0 is best, 2 worst). "
            "A dot below the line is a model surer than it should be. Intervals by bootstrap over patients.",
            ece=formatting.with_interval(found["ece"]),
            brier=formatting.plain(found["brier"]),
        )
    )
    operating_point.show(table, classes)


def _calibrated(table: pd.DataFrame, validation: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Return the table, with the probabilities at the temperature of the validation images if that is chosen."""
    st.subheader(t("What the probabilities are worth"))
    fitted = _temperature(validation, tuple(classes))
    if fitted["value"] is None:
        st.caption(
            t("The {n} validation images cannot tell a temperature: all of them are right, or too many are wrong.",
              n=fitted["n"])
        )  # fmt: skip
        return table
    low, high = fitted["ci95"]
    label = t("Calibrate: temperature {temperature:.2f}", temperature=fitted["value"])
    chosen = st.toggle(label, key="calibrate", bind="query-params")
    meaning = t("that may as well be 1, which changes nothing.")
    if low > 1:
        meaning = t("the model is surer than it should be.")
    elif high < 1:
        meaning = t("the model is less sure than it could be.")
    st.caption(
        t(
            "Rescales the probabilities by one number and changes no answer (Guo et al. 2017). Fitted on {n} "
            "validation images, 95% interval {low:.2f} to {high:.2f}: {meaning}",
            n=fitted["n"], low=low, high=high, meaning=meaning,
        )
    )  # fmt: skip
    return calibration.scaled(table, classes, fitted["value"]) if chosen else table


@st.cache_data(max_entries=8, show_spinner=False)
def _temperature(validation: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, Any]:
    return calibration.temperature(validation, classes)


@st.cache_data(max_entries=8, show_spinner=False)
def _scores(table: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, Any]:
    return probability_metrics.evaluate(table, classes)
