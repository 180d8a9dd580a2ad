"""The part of the form that starts a sweep around the chosen settings."""

from datetime import datetime
from typing import Any

import streamlit as st

from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.i18n import N_, t, translate
from cxrcore.jobs import tasks
from cxrcore.sweeps import plan, sweep
from cxrcore.sweeps.plan import Choices
from cxrcore.ui import feedback

NAMES = {
    "learning_rate": N_("Learning rate"), "dropout": N_("Dropout"), "l2": N_("L2 penalty"),
    "label_smoothing": N_("Label smoothing"), "batch_size": N_("Batch size"), "head": N_("Head"),
    "optimizer": N_("Optimiser"), "schedule": N_("Learning-rate schedule"),
    "class_weights": N_("Every class counts alike"), "tap": N_("Layer to learn from (tap)"),
}  # fmt: skip
_USUAL = ["learning_rate", "dropout", "head"]


def offer(preset: str, values: dict[str, Any]) -> None:
    """Offer to try many settings around those of the form."""
    with st.expander(t("Sweep: try many settings")):
        st.caption(
            t(
                "Trains one head after another on the kept activations, each with other values of the chosen knobs, "
                "and ranks them by validation alone. Nothing is tested until you open one: a result chosen by its test "
                "would flatter itself."
            )
        )
        offered = plan.offered(values["backbone"])
        chosen = st.multiselect(
            t("Knobs to try"), list(offered), _USUAL, format_func=lambda name: translate(NAMES[name]), key="knobs"
        )
        knobs = {name: _range(name, offered[name], values["backbone"]) for name in chosen}
        a, b, c = st.columns(3)
        trials = int(a.number_input(t("Trials"), 1, 10_000, 50, key="trials"))
        minutes = b.number_input(t("Minutes at most (0: no limit)"), 0.0, 10_000.0, 0.0, key="minutes")
        name = c.text_input(t("Name of the sweep"), f"{datetime.now():%m%d-%H%M}", key="sweep name")
        if st.button(t("Start the sweep"), icon=":material/tune:", disabled=not chosen):
            _start(preset, values, knobs, trials, minutes, name)


def _start(preset: str, values: dict[str, Any], knobs: dict[str, Any], trials: int, minutes: float, name: str) -> None:
    with feedback.friendly():
        if values.get("design") or values.get("tune"):
            raise UserError("A sweep trains the head once a trial: choose one round and no fine-tuning for it.")
        for knob, range_ in knobs.items():
            if len(range_.get("choices", "ab")) < 2:
                raise UserError("{knob}: choose at least two values to try.", knob=NAMES[knob])
        base = run_config.make(preset, **values).model_dump(mode="json")
        made = sweep.create(name, plan.make({"base": base, "knobs": knobs, "trials": trials, "minutes": minutes}))
        tasks.start(made, "sweep")
        st.switch_page("pages/compare.py", query_params={"show": "Sweeps", "sweep": made.name})


def _range(name: str, knob: Any, backbone: str) -> dict[str, Any]:
    """Show the range of a knob and return it as plain values."""
    title = translate(NAMES[name])
    if isinstance(knob, Choices):
        options = list(knob.choices)
        chosen = st.multiselect(
            title, options, options, key=f"choices {name} {backbone}",
            format_func=lambda value: {True: t("yes"), False: t("no")}.get(value, str(value)),
        )  # fmt: skip
        return {"choices": chosen}
    form = "%.6f" if knob.log else "%.2f"
    lowest, highest = t("lowest"), t("highest")
    a, b = st.columns(2)
    low = a.number_input(f"{title} · {lowest}", value=knob.low, format=form, key=f"low {name}")
    high = b.number_input(f"{title} · {highest}", value=knob.high, format=form, key=f"high {name}")
    return {"low": low, "high": high, "log": knob.log}
