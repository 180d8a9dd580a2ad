"""Metrics and names as text in the current language."""

from collections.abc import Mapping, Sequence
from html import escape

from cxrcore.data import classes
from cxrcore.evaluation.metrics import certainty
from cxrcore.i18n import format_number, t, translate
from cxrcore.messages import Message, some
from cxrcore.metric import Metric
from cxrcore.runs import Run

_NONE = "–"
MOST_PROBABILITIES = 5
_SHORT = 24  # characters of a name in a list of probabilities


def percent(metric: Metric | None) -> str:
    """Return a share, for example `97.3%`; a dash where it is not defined."""
    return _NONE if metric is None or metric.value is None else format_number(metric.value, ".1%")


def headline(run: Run) -> str:
    """Return the accuracy that stands for a run, for example `97.3%` or `97.9% (mean of 5 folds)`; a dash before it is
    evaluated.
    """
    if found := run.averaged:
        return f"{percent(run.headline)} ({translate(found.label)})"
    return percent(run.headline)


def interval(metric: Metric) -> str:
    """Return the 95 % interval of a share, for example `90.8% to 99.3%`."""
    if metric.value is None or not metric.has_interval:
        return _NONE
    return t("{low:.1%} to {high:.1%}", low=metric.low, high=metric.high)


def with_interval(metric: Metric | None, digits: int = 1) -> str:
    """Return a share with its interval, for example `97.3% (90.8% to 99.3%)`."""
    return _with_interval(metric, f".{digits}%")


def number(metric: Metric | None, digits: int = 3) -> str:
    """Return a metric that is no share with its interval, for example `0.950 (0.902 to 0.981)`."""
    return _with_interval(metric, f".{digits}f")


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` characters; a longer one loses its middle."""
    start = most // 2
    return text if len(text) <= most else f"{text[:start].rstrip()}…{text[start + 1 - most :].lstrip()}"


def class_list(names: Sequence[str]) -> str:
    """Return the names of classes with commas, ten of them and how many more there are."""
    listed = some([classes.display(name) for name in names])
    return ", ".join(translate(item) if isinstance(item, Message) else item for item in listed)


def probabilities(values: Mapping[str, float]) -> str:
    """Return the probability of each class, for example `COVID 97% · NORMAL 3%`; of many classes the highest ones."""
    shown = highest(values) if len(values) > MOST_PROBABILITIES else values
    return " · ".join(
        f"{classes.isolated(shortened(classes.label(name), _SHORT))} {certainty(value)}"
        for name, value in shown.items()
    )


def choice(text: str, names: Sequence[str]) -> str:
    """Return the label of a choice beside the classes `names`. If a class is displayed like it, an invisible space that
    no class name ends with tells them apart, as Streamlit knows options by their labels.
    """
    return text + "\u00a0" if text in map(classes.label, names) else text


def highest(values: Mapping[str, float], most: int = MOST_PROBABILITIES) -> dict[str, float]:
    """Return the classes with the `most` highest probabilities, the highest first."""
    return dict(sorted(values.items(), key=lambda item: -item[1])[:most])


def plotly_label(name: str, most: int = classes.LONGEST) -> str:
    """Return the name of a class, shortened to `most` characters, for Plotly, which takes labels for HTML."""
    return plotly_text(shortened(classes.label(name), most))


def plotly_text(text: str) -> str:
    """Return a text from data for Plotly, which takes labels for HTML."""
    return escape(text, quote=False)


def _with_interval(metric: Metric | None, form: str) -> str:
    if metric is None or metric.value is None:
        return _NONE
    value = format_number(metric.value, form)
    if metric.low is None or metric.high is None:
        return value
    low, high = format_number(metric.low, form), format_number(metric.high, form)
    return t("{value} ({low} to {high})", value=value, low=low, high=high)
