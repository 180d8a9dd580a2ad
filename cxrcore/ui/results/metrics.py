"""Every metric with its n and interval: by class, overall, and by subgroup."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from cxrcore import settings
from cxrcore.data import classes
from cxrcore.evaluation import subgroups
from cxrcore.evaluation.metrics import reported
from cxrcore.figures import formatting, palette
from cxrcore.figures.dot_plot import Dot, dot_plot
from cxrcore.i18n import t, translate
from cxrcore.metric import ClassificationMetrics, ClassMetrics, Metric
from cxrcore.ui import csv_table, digest, feedback, figure_row, kept_figures
from cxrcore.ui.results import resamples

_MOST_SENTENCES, _FEW_SENTENCES = 10, 5
_MIDDLE = 0.5
_LONGEST = 22  # characters of a name beside an axis
_MOST_IN_SUBGROUPS = 3  # classes with columns of their own


def show(
    table: pd.DataFrame,
    metrics: ClassificationMetrics,
    positive: str,
    sources: Mapping[str, str],
    by_patient: bool = False,
) -> None:
    """Show the metrics of a prediction table; of a two-class question those of the `positive` class, else "".

    `sources` are the names of sources for visitors and in files that are downloaded, by their own; `by_patient` tells
    whether the intervals of proportions are by patient.
    """
    _summary(metrics, positive)
    _by_class(metrics, positive, by_patient)
    _overall(metrics)
    _subgroups(table, metrics.classes, positive, sources, by_patient)


def _summary(metrics: ClassificationMetrics, positive: str) -> None:
    """Give sensitivity and false positives of each class as counts of images, of many classes the worst."""
    st.subheader(t("Summary"))
    found = {name: values for name, values in reported(metrics, positive).items() if values.recall.n}
    if len(found) > _MOST_SENTENCES:
        found = _lowest(found, _FEW_SENTENCES)
        st.caption(t("The {n} classes with the lowest sensitivity; the table below has all.", n=_FEW_SENTENCES))
    for name, values in found.items():
        recall, specificity = values.recall, values.specificity
        numbers = {
            "n": recall.n,
            "hits": recall.successes,
            "label": feedback.plain_text(classes.label(name)),
            "interval": formatting.interval(recall),
            "false": specificity.n - (specificity.successes or 0),
            "others": specificity.n,
        }
        if positive:
            (other,) = (other for other in metrics.classes if other != positive)
            text = t(
                "Of **{n}** images of {label}, **{hits}** were predicted correctly (95% interval {interval}). Of "
                "{others} images of {other}, **{false}** were predicted as {label}.",
                other=feedback.plain_text(classes.label(other)),
                **numbers,
            )
        else:
            text = t(
                "Of **{n}** images of {label}, **{hits}** were predicted correctly (95% interval {interval}). Of "
                "{others} images of other classes, **{false}** were predicted as {label}.",
                **numbers,
            )
        st.markdown(text)


def _by_class(metrics: ClassificationMetrics, positive: str, by_patient: bool) -> None:
    st.subheader(t("Metrics of the positive class") if positive else t("Metrics by class"))
    found = reported(metrics, positive)
    if positive:
        _of_one_class(found[positive], palette.class_styles(metrics.classes)[positive].colour)
    else:
        _of_each_class(found, metrics.classes)
    rows = [
        {
            t("positive class") if positive else t("class"): classes.label(name),
            t("images"): values.n,
            **{title: formatting.with_interval(metric) for title, metric in _titled(values).items()},
        }
        for name, values in found.items()
    ]
    csv_table.show(rows, "metrics-by-class.csv")
    st.caption(
        t(
            "Sensitivity: share of the images of a class that are predicted as this class. Specificity: share of the "
            "other images that are not. PPV and NPV (predictive values): share of the positive and of the negative "
            "predictions that are correct; they hold for the class proportions of this test set, not for a hospital's."
        )
        + " "
        + (
            t("95% intervals in brackets: by bootstrap over patients (Wilson's where all are correct).")
            if by_patient
            else t(
                "95% intervals in brackets: Wilson's; for F1 by bootstrap over patients (Wilson's where all are "
                "correct)."
            )
        )
        + resamples.note(metrics.n)
    )
    few = [name for name, values in metrics.by_class.items() if values.n < subgroups.FEW]
    if few:
        st.warning(
            t(
                "Fewer than {few} test images of {classes}: consider the intervals, not only the values.",
                few=subgroups.FEW,
                classes=feedback.plain_text(formatting.class_list(few)),
            )
        )


def _titled(values: ClassMetrics) -> dict[str, Metric]:
    """Return the metrics of a class by their titles."""
    return {
        t("sensitivity (recall)"): values.recall,
        t("specificity"): values.specificity,
        t("PPV (precision)"): values.precision,
        t("NPV"): values.npv,
        "F1": values.f1,
    }


def _of_one_class(values: ClassMetrics, colour: str) -> None:
    dots = [Dot(title, metric, colour) for title, metric in _titled(values).items()]
    _plot(dots, "", "metrics of the positive class")


def _of_each_class(found: Mapping[str, ClassMetrics], names: Sequence[str]) -> None:
    """Show a figure for each metric but F1, with a row for each class, of many classes those of lowest sensitivity."""
    styles, shown = palette.class_styles(names), _lowest(found, _MOST_SENTENCES)
    if len(shown) < len(found):
        st.caption(t("The {n} classes with the lowest sensitivity; the table below has all.", n=len(shown)))
    titles = [title for title in next(iter(_titled(values) for values in found.values())) if title != "F1"]
    for place, title in zip(figure_row.columns(len(titles), "metrics-by-class"), titles, strict=True):
        with place:
            dots = [
                Dot(formatting.shortened(classes.label(name), _LONGEST), _titled(values)[title], styles[name].colour)
                for name, values in shown.items()
            ]
            _plot(dots, title, f"by class {title}")


def _plot(dots: Sequence[Dot], title: str, key: str, line: tuple[str, float] | None = None) -> None:
    alt = "; ".join(f"{dot.label} {formatting.with_interval(dot.metric)}" for dot in dots)
    st.plotly_chart(
        kept_figures.made(_figure, dots, title, line), key=key, alt=f"{title}: {alt}", config={"displayModeBar": False}
    )


def _figure(dots: Sequence[Dot], title: str, line: tuple[str, float] | None) -> go.Figure:
    figure = dot_plot(dots, title, line)
    figure.update_xaxes(range=[0, 1.02], dtick=0.25)
    if line:
        figure.update_annotations(xanchor="left" if line[1] < _MIDDLE else "right")
    return figure


def _lowest(found: Mapping[str, ClassMetrics], most: int) -> dict[str, ClassMetrics]:
    """Return the metrics of all classes in the order of the run, or of the `most` with the lowest sensitivity first."""
    if len(found) <= most:
        return dict(found)
    return {name: found[name] for name in sorted(found, key=lambda name: found[name].recall.value or 0.0)[:most]}


def _overall(metrics: ClassificationMetrics) -> None:
    st.subheader(t("Overall metrics"))
    rows = {
        t("Balanced accuracy: mean sensitivity of the classes"): formatting.with_interval(metrics.balanced_accuracy),
        t("Macro F1: mean F1 of the classes"): formatting.with_interval(metrics.macro_f1),
        t("Cohen's kappa: agreement from -1 to 1, 0 for chance"): formatting.number(metrics.kappa),
        t("Matthews correlation coefficient, -1 to 1"): formatting.number(metrics.matthews),
    }
    st.dataframe([{t("metric"): name, t("value"): value} for name, value in rows.items()], hide_index=True)


def _subgroups(
    table: pd.DataFrame, names: list[str], positive: str, sources: Mapping[str, str], by_patient: bool
) -> None:
    st.subheader(t("Metrics by subgroup"))
    with st.spinner(t("Computing the intervals (bootstrap)")):
        found = _evaluated(table, tuple(names), by_patient)
    if not found:
        st.caption(t("There are no subgroups: source, sex, age and view are unknown or the same for all images."))
        return
    column = st.segmented_control(
        t("Group by"),
        list(found),
        default=next(iter(found)),
        required=True,
        format_func=lambda name: translate(subgroups.COLUMNS[name]),
    )
    called = sources if column == "source" else {}
    saved = {called.get(value, value): metrics for value, metrics in found[column].items()}
    groups = saved if settings.read_only() else found[column]
    dots = [Dot(formatting.shortened(value, _LONGEST), metrics.accuracy) for value, metrics in groups.items()]
    accuracy = float(table["correct"].mean())
    _plot(dots, t("accuracy"), "by subgroup", (t("all images"), accuracy))
    shown = [positive] if positive else names
    if len(shown) > _MOST_IN_SUBGROUPS:
        shown = [st.selectbox(t("Class"), names, format_func=classes.label, key="subgroup class")]
    rows, kept = ([_group(value, metrics, shown) for value, metrics in each.items()] for each in (groups, saved))
    csv_table.show(rows, "metrics-by-subgroup.csv", saved=kept)
    st.caption(translate(subgroups.CAVEAT))
    few = [value for value, metrics in groups.items() if metrics.n < subgroups.FEW]
    if few:
        st.warning(
            t(
                "Fewer than {few} test images in {groups}: too few for a conclusion.",
                few=subgroups.FEW,
                groups=feedback.plain_text(", ".join(few)),
            )
        )


def _group(value: str, metrics: ClassificationMetrics, shown: Sequence[str]) -> dict[str, str | int]:
    row: dict[str, str | int] = {
        t("group"): value,
        t("images"): metrics.n,
        t("patients"): metrics.patients,
        t("accuracy"): formatting.with_interval(metrics.accuracy),
        t("balanced accuracy"): formatting.with_interval(metrics.balanced_accuracy),
        t("macro F1"): formatting.with_interval(metrics.macro_f1),
    }
    for name in shown:
        label, values = classes.label(name), metrics.by_class[name]
        row[t("sensitivity, {label}", label=label)] = formatting.with_interval(values.recall)
        row[t("specificity, {label}", label=label)] = formatting.with_interval(values.specificity)
    return row


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=digest.TABLES)
def _evaluated(
    table: pd.DataFrame, names: tuple[str, ...], by_patient: bool
) -> dict[str, dict[str, ClassificationMetrics]]:
    return subgroups.evaluate(table, names, by_patient)
