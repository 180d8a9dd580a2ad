"""Metrics and names as text in the current language."""

from html import escape

from cxrcore.data import classes
from cxrcore.i18n import format_number, t
from cxrcore.metric import Metric

_NONE = "–"


def percent(metric: Metric | None) -> str:
    """Return a share, for example `97.3%`; a dash where it is not defined."""
    return _NONE if metric is None or metric.value is None else format_number(metric.value, ".1%")


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


def plotly_label(name: str) -> str:
    """Return the name of a class for Plotly, which takes labels for HTML."""
    return plotly_text(classes.label(name))


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
