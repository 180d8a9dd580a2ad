"""Every metric with its n and interval: by class, of the whole, and by subgroup."""

from typing import Any

import pandas as pd
import streamlit as st

from cxrcore.evaluation import subgroups
from cxrcore.figures import formatting
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback


def show(table: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """Show the numbers of a prediction table."""
    in_words(metrics)
    _by_class(metrics)
    _whole(metrics)
    _subgroups(table, metrics["classes"])


def in_words(metrics: dict[str, Any]) -> None:
    """Say for each class, as counts of images, how many are recognised and how many others are called so."""
    st.subheader(t("In plain words"))
    for name, values in metrics["by_class"].items():
        found, spared = values["recall"], values["specificity"]
        if not found["n"]:
            continue
        st.markdown(
            t(
                "Of **{n}** images of {label} it recognised **{hits}**; the true share may be anywhere from "
                "{interval}. It called **{false}** of {others} other images {label}.",
                n=found["n"], hits=found["successes"], label=translate(name), interval=formatting.interval(found),
                false=spared["n"] - spared["successes"], others=spared["n"],
            )
        )  # fmt: skip


def _by_class(metrics: dict[str, Any]) -> None:
    st.subheader(t("By class"))
    titles = {
        "recall": t("sensitivity (recall)"),
        "specificity": t("specificity"),
        "precision": t("PPV (precision)"),
        "npv": t("NPV"),
        "f1": "F1",
    }
    rows = []
    for name, values in metrics["by_class"].items():
        row = {t("class"): translate(name), t("images"): values["n"]}
        rows.append(row | {title: formatting.with_interval(values[key]) for key, title in titles.items()})
    st.dataframe(rows, hide_index=True)
    st.caption(
        t(
            "Sensitivity: of those that are, how many are called so. Specificity: of those that are not, how many are "
            "not called so. PPV and NPV, the predictive values: of those called so (or not), how many are (or are "
            "not); they hold for the mix of classes tested here, not for a hospital's. In brackets the 95% interval: "
            "Wilson's, for F1 the bootstrap by patient (Wilson's where all are right)."
        )
    )
    few = [translate(name) for name, values in metrics["by_class"].items() if values["n"] < subgroups.FEW]
    if few:
        st.warning(
            t("Fewer than {few} test images of {classes}: read the intervals, not the values.",
              few=subgroups.FEW, classes=", ".join(few))
        )  # fmt: skip


def _whole(metrics: dict[str, Any]) -> None:
    st.subheader(t("Of all classes together"))
    rows = {
        t("Balanced accuracy: the mean sensitivity of the classes"): formatting.with_interval(
            metrics["balanced_accuracy"]
        ),
        t("Macro F1: the mean F1 of the classes"): formatting.with_interval(metrics["macro_f1"]),
        t("Cohen's kappa: agreement, -1 to 1, where 0 is chance"): formatting.plain(metrics["kappa"]),
        t("Matthews's correlation, -1 to 1"): formatting.plain(metrics["matthews"]),
    }
    st.dataframe([{t("metric"): name, t("value"): value} for name, value in rows.items()], hide_index=True)


def _subgroups(table: pd.DataFrame, classes: list[str]) -> None:
    st.subheader(t("By subgroup"))
    with st.spinner(t("Resampling for the intervals")):
        found = _evaluated(table, tuple(classes))
    if not found:
        st.caption(
            t("The data name no subgroups: source, sex, age and view are unknown or the same for all.")
        )  # fmt: skip
        return
    column = st.segmented_control(
        t("Group by"), list(found), default=next(iter(found)), required=True,
        format_func=lambda name: translate(subgroups.COLUMNS[name]),
    )  # fmt: skip
    rows = []
    for value, metrics in found[column].items():
        row = {
            t("group"): value,
            t("images"): metrics["n"],
            t("patients"): metrics["patients"],
            t("accuracy"): formatting.with_interval(metrics["accuracy"]),
            t("balanced accuracy"): formatting.with_interval(metrics["balanced_accuracy"]),
            t("macro F1"): formatting.with_interval(metrics["macro_f1"]),
        }
        for name, values in metrics["by_class"].items():
            label = translate(name)
            row[t("sensitivity, {label}", label=label)] = formatting.with_interval(values["recall"])
            row[t("specificity, {label}", label=label)] = formatting.with_interval(values["specificity"])
        rows.append(row)
    st.dataframe(rows, hide_index=True)
    st.caption(translate(subgroups.CAVEAT))
    few = [value for value, metrics in found[column].items() if metrics["n"] < subgroups.FEW]
    if few:
        st.warning(
            t("Fewer than {few} test images in {groups}: too few to say anything of them.",
              few=subgroups.FEW, groups=feedback.plain_text(", ".join(few)))
        )  # fmt: skip


@st.cache_data(max_entries=8, show_spinner=False)
def _evaluated(table: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    return subgroups.evaluate(table, classes)
