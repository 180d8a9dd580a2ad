"""The confusion matrix, and the test images of one of its cells, rows or columns: the way in to every answer."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cxrcore.evaluation.metrics import certainty, probability_columns
from cxrcore.figures import confusion_matrix, palette
from cxrcore.i18n import N_, t, translate
from cxrcore.runs import Run
from cxrcore.ui import gallery, query_params

_PER_PAGE = 25
_ANY, _ALL, _WRONG, _RIGHT = N_("any"), N_("all"), N_("wrong"), N_("right")
_SHADES = [confusion_matrix.COUNT, confusion_matrix.BY_TRUE, confusion_matrix.BY_PREDICTED]


def show(run: Run, table: pd.DataFrame, metrics: dict[str, Any]) -> None:
    """Show the matrix and the images that it, or the choices below it, leave."""
    classes = metrics["classes"]
    _confusion(metrics)
    st.subheader(t("Predicted against true"))
    table = table.assign(confidence=table[probability_columns(classes)].max(axis=1))
    shown, key = _chosen(table, classes)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        st.caption(
            t("{shown} of {all} test images, the surest first. A click on the matrix chooses a cell, row or column.",
              shown=len(shown), all=len(table))
        )  # fmt: skip
        looks = st.toggle(t("Show where the model looked (Grad-CAM)"), key="overlays", bind="query-params")
    with right:
        rows = shown.iloc[gallery.page_of(len(shown), _PER_PAGE, f"grid page {key}")]
    if rows.empty:
        st.info(t("No test image fits. Choose another cell, or any."), icon=":material/info:")
    heatmaps = run.heatmaps() if looks else None
    gallery.show([_card(int(number), row, classes, heatmaps) for number, row in rows.iterrows()], classes)
    if looks:
        st.caption(t("For the predicted class; put the pointer on a picture to see it without."))


def _confusion(metrics: dict[str, Any]) -> None:
    """Show the matrix; a click puts its classes into the choices below and into the URL."""
    st.subheader(t("Confusion matrix"))
    shade = st.segmented_control(t("Shade by"), _SHADES, format_func=translate, default=_SHADES[0], required=True)
    ink = palette.INK[st.context.theme.type or "light"]
    figure = confusion_matrix.confusion(metrics["confusion"], metrics["classes"], shade, ink)
    event = st.plotly_chart(figure, key="confusion", alt=_in_words(metrics), on_select="rerun", selection_mode="points")
    clicked = [point["customdata"] for point in event["selection"]["points"] if "customdata" in point]
    before = st.session_state.get("clicked cell", [])
    if clicked != before:
        # A second click on a cell takes the selection away in Plotly: for the person it is a click on that cell.
        true, predicted = (clicked or before)[0]
        query_params.put("true", true or _ANY)
        query_params.put("predicted", predicted or _ANY)
    st.session_state["clicked cell"] = clicked


def _in_words(metrics: dict[str, Any]) -> str:
    names = [translate(name) for name in metrics["classes"]]
    rows = []
    for name, counts in zip(names, metrics["confusion"], strict=True):
        called = ", ".join(f"{other} {count}" for other, count in zip(names, counts, strict=True))
        rows.append(t("true {label}", label=name) + f": {called}")
    return t("Confusion matrix, rows true and columns predicted") + ". " + "; ".join(rows)


def _chosen(table: pd.DataFrame, classes: list[str]) -> tuple[pd.DataFrame, str]:
    """Return the rows that the choices leave, the surest first, and a text that names the choices."""
    a, b, c = st.columns(3)
    options = [_ANY, *classes]
    true = query_params.selectbox(a, t("True class"), "true", options)
    predicted = query_params.selectbox(b, t("Predicted class"), "predicted", options)
    which = query_params.selectbox(c, t("Show"), "which", [_ALL, _WRONG, _RIGHT])
    fits = ((table["label"] == true) | (true == _ANY)) & ((table["predicted"] == predicted) | (predicted == _ANY))
    if which != _ALL:
        fits &= table["correct"] == (which == _RIGHT)
    return table[fits].sort_values("confidence", ascending=False, kind="stable"), f"{true} {predicted} {which}"


def _card(number: int, row: pd.Series, classes: list[str], heatmaps: np.ndarray | None) -> gallery.Card:
    title = t("predicted {label}", label=translate(row["predicted"])) + " " + certainty(row["confidence"])
    every = " · ".join(
        f"{translate(name)} {certainty(row[column])}"
        for name, column in zip(classes, probability_columns(classes), strict=True)
    )
    heat = None if heatmaps is None else np.asarray(heatmaps[number, classes.index(row["predicted"])])
    lines = (t("true {label}", label=translate(row["label"])), every)
    return gallery.Card(row["path"], row["predicted"], title, lines, not row["correct"], heat)
