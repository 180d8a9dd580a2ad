"""Accuracies of the runs with their intervals, and accuracy against cost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from cxrcore.data import classes
from cxrcore.evaluation import run_cost, verdict
from cxrcore.features import backbones
from cxrcore.figures import comparison, formatting, palette
from cxrcore.figures.comparison import ComparedRun
from cxrcore.i18n import N_, format_time, nt, t, translate
from cxrcore.runs import Run, find
from cxrcore.ui import kept_figures, query_params

MOST = 20  # runs in the figures
_LONGEST = 34  # characters of a label beside the axis
_SECONDS, _MEGABYTES = N_("seconds"), N_("megabytes")
_FORMS = {_SECONDS: ",.0f", _MEGABYTES: ",.1f"}


def show(runs: Sequence[Run], are_chosen: bool) -> None:
    """Show the first `MOST` of the runs that have results; `are_chosen` tells whether a user chose them."""
    tested = [known.run for known in find(*runs) if known and known.metrics]
    shown = tested[:MOST]
    if not shown:
        return
    if are_chosen:
        text = nt("The chosen run.", "The {n} chosen runs.", len(shown))
        if len(tested) < len(runs):
            text = t("{n} of the {all} chosen runs have results.", n=len(tested), all=len(runs))
        if len(tested) > len(shown):
            text = t("The newest {n} of {all} chosen runs.", n=len(shown), all=len(tested))
    else:
        text = nt(
            "The newest run with results. Select runs in the table to compare them.",
            "The newest {n} runs with results. Select runs in the table to compare them.",
            len(shown),
        )
    if len({run.config.dataset for run in shown}) > 1:
        different = t("They were tested on different datasets: their accuracies answer different questions.")
        text = f"{text} {different}"
    st.caption(text)
    compared = _compared(shown, dict(zip([run.name for run in runs], colours(runs), strict=True)))
    left, right = st.columns([3, 2])
    rows = list(compared.values())
    config = {"displayModeBar": False}
    alt = t("Test accuracy with its 95% interval, one row for each run") + ": "
    alt += "; ".join(f"{run.label} {formatting.with_interval(run.accuracy)}" for run in rows)
    left.plotly_chart(
        kept_figures.made(comparison.forest, rows, _baseline(shown)), key="accuracies", alt=alt, config=config
    )
    with right:
        _cost(shown, compared)


def _compared(runs: Sequence[Run], colour_of: Mapping[str, str]) -> dict[str, ComparedRun]:
    """Return the runs by name, numbered by accuracy, the highest first."""
    several = len({run.config.dataset for run in runs}) > 1
    found = {}
    for run in runs:
        config, accuracy = run.config, run.headline
        label = run.title or f"{format_time(run.status.created)} · {backbones.get(config.backbone).title}"
        label = formatting.shortened(f"{label} · {config.dataset}" if several else label, _LONGEST)
        if accuracy:
            found[run.name] = ComparedRun(0, label, colour_of[run.name], accuracy)
    order = sorted(found, key=lambda name: -(found[name].accuracy.value or 0.0))
    return {name: replace(found[name], number=number) for number, name in enumerate(order, start=1)}


def colours(runs: Sequence[Run]) -> list[str]:
    """Return the colour of each run in every figure of the page."""
    return palette.series(len(runs))


def _baseline(runs: Sequence[Run]) -> tuple[str, float] | None:
    """Return the label and the accuracy of always answering the most frequent class, None if the runs differ in it."""
    judged = [verdict.of_run(run) for run in runs]
    found = {(each.majority, each.baseline.value) if each else None for each in judged}
    only = found.pop() if len(found) == 1 else None
    if only is None or only[1] is None:
        return None
    name = formatting.shortened(classes.label(only[0]), _LONGEST)
    return t("Always answering {label}", label=name), only[1]


def _cost(runs: Sequence[Run], compared: dict[str, ComparedRun]) -> None:
    """Show accuracy against what was chosen as the cost."""
    options = [_SECONDS, _MEGABYTES]
    chosen = st.segmented_control(
        t("Accuracy against"),
        options,
        format_func=translate,
        key=query_params.start("cost", options, _SECONDS),
        required=True,
    )
    kind = chosen or _SECONDS
    query_params.keep("cost", kind, _SECONDS)
    costs = {run.name: run_cost.of_run(run) for run in runs}
    points = []
    for name, run in compared.items():
        if cost := costs[name]:
            points.append(replace(run, cost=cost.seconds if kind == _SECONDS else cost.megabytes))
    figure = kept_figures.made(comparison.by_cost, points, translate(kind), _FORMS[kind])
    alt = t("Test accuracy against cost; the numbers are those of the runs in the other figure")
    st.plotly_chart(figure, key=f"cost {kind}", alt=alt, config={"displayModeBar": False})
    if kind == _SECONDS:
        st.caption(t("Of the whole run. Activations that an earlier run had computed cost nothing again."))
    else:
        st.caption(t("Weights of the backbone and the saved head."))
