"""The test images of a cell of the confusion matrix, or of all: prediction, truth and every probability."""

from typing import Any

import pandas as pd
import streamlit as st

from cxrcore.evaluation.metrics import certainty, probability_columns
from cxrcore.report import figures, palette, tiles
from cxrcore.report.grid_pdf import render
from cxrcore.runs import Run
from cxrcore.ui import choose, gallery

_PER_PAGE = 25
_ANY = "any"


def confusion(metrics: dict[str, Any]) -> None:
    """Show the confusion matrix; a click on a cell puts its classes into the choices below and into the URL."""
    st.subheader("Confusion matrix")
    shading = st.segmented_control("Shade by", ["count", "share of the true class"], default="count", required=True)
    ink = palette.INK[st.context.theme.type or "light"]
    figure = figures.confusion(metrics["confusion"], metrics["classes"], shading != "count", ink)
    rows = zip(metrics["classes"], metrics["confusion"], strict=True)
    alt = "; ".join(f"true {name}: {dict(zip(metrics['classes'], row, strict=True))}" for name, row in rows)
    event = st.plotly_chart(
        figure, key="confusion", alt=f"Confusion matrix. {alt}", on_select="rerun", selection_mode="points"
    )
    clicked = [(point["y"], point["x"]) for point in event["selection"]["points"]]
    if clicked and clicked != st.session_state.get("clicked cell"):
        st.session_state["true"], st.session_state["predicted"] = clicked[0]
    st.session_state["clicked cell"] = clicked


def show(run: Run, classes: list[str]) -> None:
    """Show the test images that the choices leave, the surest first."""
    st.subheader("Predicted against true")
    table = run.predictions("test")
    table["confidence"] = table[probability_columns(classes)].max(axis=1)
    options = [_ANY, *classes]
    a, b, c, d = st.columns(4, vertical_alignment="bottom")
    true = a.selectbox("True class", options, key="true", bind="query-params")
    predicted = b.selectbox("Predicted class", options, key="predicted", bind="query-params")
    which = c.selectbox("Show", ["all", "wrong", "right"], key="which", bind="query-params")
    shown = table[
        ((table["label"] == true) | (true == _ANY)) & ((table["predicted"] == predicted) | (predicted == _ANY))
    ]
    if which != "all":
        shown = shown[shown["correct"] == (which == "right")]
    shown = shown.sort_values("confidence", ascending=False, kind="stable")
    with d:
        rows = shown.iloc[gallery.page_of(len(shown), _PER_PAGE, f"grid page {true} {predicted} {which}")]
    st.caption(f"{len(shown)} of {len(table)} test images, the surest first. A click on the matrix chooses a cell.")
    if rows.empty:
        st.info("No test image is so. Choose another cell, or any.", icon=":material/info:")
    gallery.show([_card(row, classes) for row in rows.to_dict("records")], classes)
    with st.container(horizontal=True):
        _downloads(run, table.drop(columns="confidence"))


def _card(row: dict[str, Any], classes: list[str]) -> gallery.Card:
    title = f"predicted {row['predicted']} {certainty(row['confidence'])}"
    every = " · ".join(
        f"{name} {certainty(row[column])}" for name, column in zip(classes, probability_columns(classes), strict=True)
    )
    return gallery.Card(row["path"], row["predicted"], title, (f"true {row['label']}", every), not row["correct"])


def _downloads(run: Run, table: pd.DataFrame) -> None:
    """Offer the tutorials' PDF, made when asked for, and the predictions as a table."""

    def make() -> bytes:
        drawn = " (phantoms: drawn, not X-rays of people)" if choose.is_phantom(run) else ""
        heading = f"Predicted and true labels, run {run.name}{drawn}"
        return render(tiles.from_predictions(table, run.about["classes"]), heading)

    st.download_button(
        "Grid as PDF", make, f"{run.name}-grid.pdf", "application/pdf", icon=":material/download:", on_click="ignore"
    )
    st.download_button(
        "Predictions as CSV", lambda: table.to_csv(index=False).encode(), f"{run.name}-predictions.csv", "text/csv",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
