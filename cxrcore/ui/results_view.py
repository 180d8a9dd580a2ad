"""The results of one run: accuracy with its interval, confusion matrix, metrics by class, the grid."""

from typing import Any

import pandas as pd
import streamlit as st

from cxrcore.evaluation.metrics import certainty, probability_columns
from cxrcore.report import figures, palette, tiles
from cxrcore.report.grid_pdf import render
from cxrcore.runs import Run
from cxrcore.ui import choose, gallery, messages, shortcut_view

_PER_PAGE = 25


def show(run: Run) -> None:
    """Show the results of a run that has metrics."""
    metrics, config = run.metrics, run.config
    assert metrics is not None
    _accuracy(metrics, config)
    _confusion(metrics)
    _by_class(metrics)
    shortcut_view.show(run)
    _grid(run, metrics["classes"])


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


def _confusion(metrics: dict[str, Any]) -> None:
    st.subheader("Confusion matrix")
    shading = st.segmented_control("Shade by", ["count", "share of the true class"], default="count", required=True)
    ink = palette.INK[st.context.theme.type or "light"]
    figure = figures.confusion(metrics["confusion"], metrics["classes"], shading != "count", ink)
    rows = zip(metrics["classes"], metrics["confusion"], strict=True)
    alt = "; ".join(f"true {name}: {dict(zip(metrics['classes'], row, strict=True))}" for name, row in rows)
    st.plotly_chart(figure, key="confusion", alt=f"Confusion matrix. {alt}")


def _by_class(metrics: dict[str, Any]) -> None:
    st.subheader("By class")
    rows = []
    for name, values in metrics["by_class"].items():
        row = {"class": name, "images": values["n"]}
        for title, key in (("precision", "precision"), ("recall (sensitivity)", "recall"), ("F1", "f1")):
            row[title] = f"{messages.percent(values[key])}  ({messages.interval(values[key])})"
        rows.append(row)
    st.dataframe(rows, hide_index=True)
    st.caption(
        "Precision: of those called so, how many are. Recall: of those that are, how many are called so. In "
        "brackets the 95 % interval: Wilson's for precision and recall, bootstrap by patient for F1 "
        "(Wilson's where all are right)."
    )


def _grid(run: Run, classes: list[str]) -> None:
    st.subheader("Predicted against true")
    table = run.predictions("test")
    wrong = int((~table["correct"]).sum())
    left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
    labels = {"all": f"all {len(table)}", "wrong": f"wrong {wrong}", "right": f"right {len(table) - wrong}"}
    which = left.segmented_control("Show", list(labels), default="all", required=True, format_func=labels.__getitem__)
    shown = table if which == "all" else table[table["correct"] == (which == "right")]
    with middle:
        rows = shown.iloc[gallery.page_of(len(shown), _PER_PAGE, f"grid page {which}")]
    with right:
        _download(run, table)
    if rows.empty:
        st.success("No wrong prediction among the test images.", icon=":material/check_circle:")
    gallery.show([_card(row, classes) for row in rows.to_dict("records")], classes)


def _card(row: dict[str, Any], classes: list[str]) -> gallery.Card:
    best = max(row[name] for name in probability_columns(classes))
    title = f"predicted {row['predicted']} {certainty(best)}"
    return gallery.Card(row["path"], row["predicted"], title, (f"true {row['label']}",), not row["correct"])


def _download(run: Run, table: pd.DataFrame) -> None:
    """Offer the tutorials' PDF; it is made when asked for, and kept."""

    def make() -> bytes:
        drawn = " (phantoms: drawn, not X-rays of people)" if choose.is_phantom(run) else ""
        heading = f"Predicted and true labels, run {run.name}{drawn}"
        return render(tiles.from_predictions(table, run.about["classes"]), heading)

    st.download_button(
        "Grid as PDF",
        make,
        f"{run.name}-grid.pdf",
        "application/pdf",
        icon=":material/download:",
        on_click="ignore",
    )
