"""Metrics as text in the current language: `{"value", "ci95"}` as shares or as numbers."""

from typing import Any

from cxrcore.i18n import format_number, t


def percent(metric: dict[str, Any]) -> str:
    """Return a metric's value, for example `97.3%`; a dash where nothing defines it."""
    return "–" if metric["value"] is None else format_number(metric["value"], ".1%")


def interval(metric: dict[str, Any]) -> str:
    """Return the 95% interval, for example `90.8% to 99.3%`."""
    low, high = metric["ci95"]
    return "–" if metric["value"] is None or low is None else t("{low:.1%} to {high:.1%}", low=low, high=high)


def with_interval(metric: dict[str, Any]) -> str:
    """Return a metric as shares, for example `97.3% (90.8% to 99.3%)`."""
    known = metric["value"] is not None and metric["ci95"][0] is not None
    return f"{percent(metric)} ({interval(metric)})" if known else percent(metric)


def plain(metric: dict[str, Any]) -> str:
    """Return a metric as numbers, for example `0.950 (0.902 to 0.981)`."""
    if metric["value"] is None:
        return "–"
    low, high = metric["ci95"]
    value = format_number(metric["value"], ".3f")
    if low is None:
        return value
    bounds = t("{low:.3f} to {high:.3f}", low=low, high=high)
    return f"{value} ({bounds})"
