"""The confusion matrix, and the test images of one of its cells, rows or columns."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from cxrcore.data import classes
from cxrcore.evaluation import confusion_matrix as matrices
from cxrcore.evaluation.metrics import certainty, probability_columns
from cxrcore.evaluation.reported import NO_HEATMAP
from cxrcore.figures import confusion_matrix, formatting, palette
from cxrcore.i18n import N_, format_number, t, translate
from cxrcore.metric import ClassificationMetrics
from cxrcore.runs import Run
from cxrcore.ui import gallery, kept_figures, query_params, sample_view

_PER_PAGE = 25
_ANY = ""  # no class has this name
_ALL, _INCORRECT, _CORRECT = N_("all"), N_("incorrect"), N_("correct")
_SHADES = [confusion_matrix.COUNT, confusion_matrix.BY_TRUE, confusion_matrix.BY_PREDICTED]


def show(run: Run, table: pd.DataFrame, metrics: ClassificationMetrics) -> None:
    """Show the matrix and the images of the cell, row or column that was chosen."""
    names = metrics.classes
    _confusion(metrics)
    if len(names) > confusion_matrix.NUMBERED:
        _pairs(metrics)
    st.subheader(t("Test images"))
    table = table.assign(confidence=table[probability_columns(names)].max(axis=1))
    shown, key = _chosen(table, names)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        st.caption(
            t(
                "{shown} of {all} test images, highest confidence first. A click on the matrix chooses a cell, a row "
                "or a column.",
                shown=len(shown),
                all=len(table),
            )
        )
        with_heatmaps = st.toggle(t("Show heatmaps (Grad-CAM)"), key="overlays", bind="query-params")
    with right:
        rows = shown.iloc[gallery.page_of(len(shown), _PER_PAGE, f"grid page {key}")]
    if rows.empty:
        st.info(t("No test image matches. Choose another cell, or any."), icon=":material/info:")
    heatmaps = run.heatmaps() if with_heatmaps else None
    cards = [_card(row, names, heatmaps) for _, row in rows.iterrows()]
    numbers, on_page = ([int(number) for number in part.index] for part in (shown, rows))
    sample_view.grid(
        cards, names, "test images", numbers, on_page, lambda number: sample_view.of_run(run, table, number)
    )
    if with_heatmaps:
        st.caption(t("For the predicted class. Put the pointer on an image to see it without the heatmap."))
        if (rows["heatmap"] == NO_HEATMAP).any():
            st.caption(
                t(
                    "Only test images of the saved model have a heatmap here; Explain computes that of any other, by "
                    "the saved model, which was trained with it."
                )
            )


def _confusion(metrics: ClassificationMetrics) -> None:
    """Show the matrix; a click puts its classes into the choices below and into the URL."""
    st.subheader(t("Confusion matrix"))
    shade = st.segmented_control(t("Colour by"), _SHADES, format_func=translate, default=_SHADES[0], required=True)
    ink = palette.INK[st.context.theme.type or "light"]
    figure = kept_figures.made(confusion_matrix.confusion, metrics.confusion, metrics.classes, shade, ink)
    event = st.plotly_chart(figure, key="confusion", alt=_in_words(metrics), on_select="rerun", selection_mode="points")
    clicked = [point["customdata"] for point in event["selection"]["points"] if "customdata" in point]
    before = st.session_state.get("clicked cell", [])
    if clicked != before:
        # A second click on a cell clears the selection in Plotly; the user meant that cell.
        true, predicted = (clicked or before)[0]
        query_params.put("true", true)
        query_params.put("predicted", predicted)
    st.session_state["clicked cell"] = clicked


def _pairs(metrics: ClassificationMetrics) -> None:
    """Show the pairs of classes that are confused most, or the row and the column of one class; a click on a pair puts
    its classes into the choices below.
    """
    st.subheader(t("Most-confused pairs"))
    names = metrics.classes
    name = st.selectbox(t("Class"), [_ANY, *names], format_func=_class_or_any(names), key="confused class", width=400)
    pairs = matrices.pairs(metrics.confusion, metrics.classes, name)
    if not pairs:
        st.info(t("No test image matches. Choose another cell, or any."), icon=":material/info:")
        return
    rows = [
        {
            t("true"): classes.label(pair.true),
            t("predicted"): classes.label(pair.predicted),
            t("images"): pair.n,
            translate(confusion_matrix.BY_TRUE): format_number(pair.share, ".0%"),
        }
        for pair in pairs
    ]
    key = f"pairs {name}"
    event = st.dataframe(rows, hide_index=True, selection_mode="single-row", on_select="rerun", key=key)
    st.caption(t("Select a row to see its images below."))
    chosen = [key, *event.selection.rows]
    if event.selection.rows and chosen != st.session_state.get("chosen pair"):
        pair = pairs[event.selection.rows[0]]
        query_params.put("true", pair.true)
        query_params.put("predicted", pair.predicted)
    st.session_state["chosen pair"] = chosen


def _in_words(metrics: ClassificationMetrics) -> str:
    names = [classes.label(name) for name in metrics.classes]
    rows = []
    for k, (name, counts) in enumerate(zip(names, metrics.confusion, strict=True)):
        known = zip(names, counts, strict=True) if len(names) <= confusion_matrix.NUMBERED else [(name, counts[k])]
        predicted = ", ".join(f"{other} {count}" for other, count in known)
        rows.append(t("true {label}", label=name) + f": {predicted}")
    return t("Confusion matrix, rows true and columns predicted") + ". " + "; ".join(rows)


def _chosen(table: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Return the rows that match the choices, highest confidence first, and a text that identifies the choices."""
    a, b, c = st.columns(3)
    options = [_ANY, *names]
    true = query_params.selectbox(a, t("True class"), "true", options, _class_or_any(names))
    predicted = query_params.selectbox(b, t("Predicted class"), "predicted", options, _class_or_any(names))
    which = query_params.selectbox(c, t("Show"), "which", [_ALL, _INCORRECT, _CORRECT])
    matches = ((table["label"] == true) | (true == _ANY)) & ((table["predicted"] == predicted) | (predicted == _ANY))
    if which != _ALL:
        matches &= table["correct"] == (which == _CORRECT)
    return table[matches].sort_values("confidence", ascending=False, kind="stable"), f"{(true, predicted, which)}"


def _class_or_any(names: Sequence[str]) -> Callable[[str], str]:
    """Return the function that gives the label of a choice."""
    anything = formatting.choice(t("any"), names)
    return lambda name: anything if name == _ANY else classes.label(name)


def _card(row: "pd.Series[object]", names: Sequence[str], heatmaps: npt.NDArray[np.float32] | None) -> gallery.Card:
    """Return the card of a row of the table; with `heatmaps`, those of the run, with its own, if it has one."""
    path, true, predicted = str(row["path"]), str(row["label"]), str(row["predicted"])
    probabilities = {name: float(str(row[f"p_{name}"])) for name in names}
    lines = (
        t("true {label}", label=classes.label(true)),
        formatting.probabilities(probabilities),
    )
    title = (
        t("predicted {label}", label=classes.isolated(classes.label(predicted)))
        + " "
        + certainty(probabilities[predicted])
    )
    kept, heatmap = int(str(row["heatmap"])), None
    if heatmaps is not None and kept != NO_HEATMAP:
        heatmap = np.asarray(heatmaps[kept, list(names).index(predicted)])
    return gallery.Card(path, predicted, title, lines, true != predicted, heatmap)
