"""What the probabilities tell: operating point, curves, calibration and referral, with temperature scaling."""

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from cxrcore.data import classes
from cxrcore.evaluation import calibration, probability_metrics
from cxrcore.evaluation.probability_metrics import ProbabilityMetrics
from cxrcore.figures import formatting, palette, probability_curves
from cxrcore.figures.dot_plot import Dot, dot_plot
from cxrcore.i18n import t
from cxrcore.metric import Metric
from cxrcore.ui import csv_table, digest, feedback, figure_row, kept_figures
from cxrcore.ui.results import operating_point, resamples

_MOST_CURVES = 10
_LONGEST = 22  # characters of a class name beside an axis


def show(table: pd.DataFrame, validation: pd.DataFrame | None, names: list[str], positive: str) -> None:
    """Show the operating point, curves, calibration and referral; of a two-class question those of the `positive`
    class, "" for more classes.

    A temperature is fitted on `validation`, the predictions of the same model; None where several models predicted.
    """
    if validation is not None:
        table = _calibrated(table, validation, names)
    operating_point.show(table, names, positive)
    _curves(table, names, positive)
    operating_point.referral(table, names)


def _curves(table: pd.DataFrame, names: list[str], positive: str) -> None:
    st.subheader(t("ROC, precision-recall and calibration"))
    if positive:
        label = feedback.plain_text(classes.label(positive))
        text = t("Positive class: {label}. Intervals by bootstrap over patients.", label=label)
    else:
        text = t("Each class against the rest. Intervals by bootstrap over patients.")
    st.caption(text + resamples.note(len(table)))
    with st.spinner(t("Computing the intervals (bootstrap)")):
        found = _evaluated(table, tuple(names))
    shown = probability_metrics.lowest_auc(found, positive, _MOST_CURVES)
    if len(shown) == _MOST_CURVES < len(names):
        shown = st.multiselect(
            t("Classes with a curve (at most {most}; at first those with the lowest ROC AUC)", most=_MOST_CURVES),
            names,
            shown,
            format_func=classes.label,
            max_selections=_MOST_CURVES,
            key="classes with a curve",
        )
    _figures(table, names, shown, positive, found)
    rows = [
        {
            t("class"): classes.label(name),
            t("ROC AUC"): formatting.number(scores.roc_auc),
            t("average precision"): formatting.number(scores.average_precision),
        }
        for name, scores in found.by_class.items()
        if not positive or name == positive
    ]
    csv_table.show(rows, "probabilities.csv")
    st.caption(
        t(
            "Expected calibration error {ece}, Brier score {brier} (0 is best, 2 is worst). In the calibration plot, "
            "a point below the line means that the model is overconfident.",
            ece=formatting.with_interval(found.ece),
            brier=formatting.number(found.brier),
        )
    )


def _figures(table: pd.DataFrame, names: list[str], shown: list[str], positive: str, found: ProbabilityMetrics) -> None:
    figures = dict(kept_figures.made(probability_curves.all_of, table, names, shown))
    alts = {
        "roc": t("ROC curve of each class"),
        "precision_recall": t("Precision-recall curve of each class"),
        "reliability": t("Accuracy by confidence"),
    }
    if positive:  # its ROC curve is that of the operating point
        del alts["roc"]
    figures["auc"], alts["auc"] = _areas(names, shown, positive, found)
    for place, (name, alt) in zip(figure_row.columns(len(alts), "curves"), alts.items(), strict=True):
        place.plotly_chart(figures[name], key=name, alt=alt, config={"displayModeBar": False})


def _areas(names: list[str], shown: list[str], positive: str, found: ProbabilityMetrics) -> tuple[go.Figure, str]:
    """Return the ROC AUC of each class shown as a figure and in words, of a two-class question both areas."""
    styles = palette.class_styles(names)
    if positive:
        scores, colour = found.by_class[positive], styles[positive].colour
        dots = [
            Dot(t("ROC AUC"), scores.roc_auc, colour),
            Dot(t("average precision"), scores.average_precision, colour),
        ]
    else:
        dots = [
            Dot(formatting.shortened(classes.label(name), _LONGEST), found.by_class[name].roc_auc, styles[name].colour)
            for name in shown
        ]
    title = "" if positive else t("ROC AUC")
    return kept_figures.made(_areas_figure, dots, title), "; ".join(
        f"{dot.label} {formatting.number(dot.metric)}" for dot in dots
    )


def _areas_figure(dots: list[Dot], title: str) -> go.Figure:
    figure = dot_plot(dots, title, percent=False, zero=False)
    return figure.update_xaxes(range=[min(0.5, *figure.layout.xaxis.range), 1.005])


def _calibrated(table: pd.DataFrame, validation: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the table, with temperature-scaled probabilities if the user chooses them."""
    with st.spinner(t("Computing the intervals (bootstrap)")):
        fitted = _temperature(validation, tuple(names))
    if fitted.value is None or fitted.low is None or fitted.high is None:
        st.caption(
            t(
                "No temperature can be fitted on the {n} validation images: all are correct, or too many are not.",
                n=fitted.n,
            )
        )
        return table
    label = t("Temperature scaling (T = {temperature:.2f})", temperature=fitted.value)
    chosen = st.toggle(label, key="calibrate", bind="query-params")
    meaning = t("The interval contains 1, which changes nothing.")
    if fitted.low > 1:
        meaning = t("The model is overconfident.")
    elif fitted.high < 1:
        meaning = t("The model is underconfident.")
    st.caption(
        t(
            "Divides the logits by one number; predicted classes do not change (Guo et al. 2017). Fitted on {n} "
            "validation images, 95% interval {low:.2f} to {high:.2f}. {meaning}",
            n=fitted.n,
            low=fitted.low,
            high=fitted.high,
            meaning=meaning,
        )
        + (" " + t("They are a random sample of {n:,}.", n=len(validation)) if fitted.n < len(validation) else "")
    )
    return calibration.scaled(table, names, fitted.value) if chosen else table


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=digest.TABLES)
def _temperature(validation: pd.DataFrame, names: tuple[str, ...]) -> Metric:
    return calibration.fit_temperature(validation, names)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=digest.TABLES)
def _evaluated(table: pd.DataFrame, names: tuple[str, ...]) -> ProbabilityMetrics:
    return probability_metrics.evaluate(table, names)
