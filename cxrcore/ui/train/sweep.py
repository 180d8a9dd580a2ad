"""The part of the form that starts a sweep around the chosen settings."""

from datetime import datetime
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.fields import Choices, Range
from cxrcore.i18n import nt, t, translate
from cxrcore.jobs import tasks
from cxrcore.sweeps import plan, sweep
from cxrcore.ui import feedback


def offer(preset: str, layer: dict[str, Any], bar: DeltaGenerator) -> None:
    """Offer to try many settings around those of the form; the button is in `bar`."""
    st.caption(
        t(
            "Trains one head after another on the cached features, each with other values of the chosen settings, "
            "and ranks them by validation. No trial is tested until you train it as a run: a model chosen by its "
            "test result looks better than it is."
        )
    )
    offered = plan.offered(layer["backbone"])
    a, b, c = st.columns(3)
    name = a.text_input(t("Name of the sweep"), f"{datetime.now():%m%d-%H%M}", key="sweep name")
    trials = int(b.number_input(t("Trials"), 1, 10_000, 50, key="trials"))
    minutes = c.number_input(t("Time limit in minutes (0: none)"), 0.0, 10_000.0, 0.0, key="minutes")
    chosen = st.multiselect(
        t("Settings to vary"), list(offered), list(plan.USUAL), format_func=_title, key="swept settings"
    )
    ranges = {name: _range(name, offered[name], layer["backbone"]) for name in chosen}
    st.caption(t("The other settings are those of the Train tab."))
    row = bar.container(horizontal=True, vertical_alignment="center")
    if row.button(t("Start the sweep"), type="primary", icon=":material/tune:", disabled=not chosen):
        with feedback.friendly():
            _start(preset, layer, {"settings": ranges, "trials": trials, "minutes": minutes}, name)
    row.caption(nt("{n} trial", "{n} trials", trials))


def _start(preset: str, layer: dict[str, Any], values: dict[str, Any], name: str) -> None:
    for setting, range_ in values["settings"].items():
        if len(range_.get("choices", "ab")) < 2:
            raise UserError("{setting}: choose at least two values.", setting=_title(setting))
    base = run_config.make(preset, layer)
    made = sweep.create(name, plan.make(values | {"base": base.plain()}))
    tasks.start(made, "sweep")
    st.switch_page("pages/compare.py", query_params={"show": "Sweeps", "sweep": made.name})


def _title(name: str) -> str:
    return translate(plan.SWEPT[name].setting.label)


def _range(name: str, range_: Range | Choices, backbone: str) -> dict[str, Any]:
    """Show the range of a setting and return it as plain values."""
    title = _title(name)
    if isinstance(range_, Choices):
        labels = {True: t("yes"), False: t("no")} | {
            value: t(text) for value, text in plan.SWEPT[name].setting.values.items()
        }
        options = list(range_.choices)
        chosen = st.multiselect(
            title,
            options,
            options,
            key=f"choices {name} {backbone}",
            format_func=lambda value: labels.get(value, str(value)) if isinstance(value, bool | str) else str(value),
        )
        return {"choices": chosen}
    form = "%.6f" if range_.log else "%.2f"
    a, b = st.columns(2)
    low = a.number_input(f"{title} · {t('minimum')}", value=range_.low, format=form, key=f"low {name}")
    high = b.number_input(f"{title} · {t('maximum')}", value=range_.high, format=form, key=f"high {name}")
    return {"low": low, "high": high, "log": range_.log}
