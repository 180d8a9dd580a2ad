"""Progress with time left, for work in the page and for a run in its own process."""

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from cxrcore.i18n import N_, t, translate
from cxrcore.ui.feedback import duration

# In the order in which they come; the first is the time until the process says something.
STAGES = {
    "starting": N_("Starting: loading the libraries takes some seconds"),
    "reading": N_("Reading the dataset"),
    "weights": N_("Finding the weights"),
    "backbone": N_("Building the backbone"),
    "features": N_("Computing activations, once for each image"),
    "training": N_("Training the head"),
    "evaluating": N_("Testing on images it has not seen"),
    "saving": N_("Saving the model"),
    "rounds": N_("Training and testing on the other splits"),
}


def bar(text: str, unit: str = "") -> Callable[[int, int], None]:
    """Show a bar in the page and return the function that moves it: (done, total), total 0 if unknown.

    With a unit it also says the rate; bytes are shown as megabytes. It is drawn at most five times a second.
    """
    shown, start, first, drawn = st.progress(0.0, text=text), time.monotonic(), -1, 0.0

    def move(done: int, total: int) -> None:
        nonlocal first, drawn
        first = done if first < 0 else first
        now = time.monotonic()
        if done != total and now - drawn < 0.2:
            return
        drawn = now
        left = _left(now - start, done - first, total - first)
        shown.progress(min(1.0, done / total) if total else 0.0, text=f"{text}: {_of(done, total, unit)}{left}")

    def _of(done: int, total: int, unit: str) -> str:
        size = 2**20 if unit == "bytes" else 1
        counted = t("{done} of {all}", done=done // size, all=total // size) if total else f"{done // size}"
        counted += " MB" if size > 1 else ""
        elapsed = time.monotonic() - start
        if not unit or elapsed < 0.5:
            return counted
        rate = (done - first) / size / elapsed
        return f"{counted}, {rate:.0f} {'MB' if size > 1 else unit}/s"

    return move


def stages(names: dict[str, str]) -> Callable[[str, int, int], None]:
    """Return a function that moves one bar a stage: (stage, done, total); `names` gives the text of a stage."""
    bars: dict[str, Callable[[int, int], None]] = {}

    def move(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            bars[stage] = bar(names[stage])
        bars[stage](done, total)

    return move


def stage_text(status: dict[str, Any]) -> str:
    """Return what a running run does, how far it is and how long this stage still takes."""
    stage, done, total = status.get("stage", "starting"), status.get("done", 0), status.get("total", 0)
    number, last = list(STAGES).index(stage) + 1, len(STAGES) - (stage != "rounds")  # most designs have no other rounds
    text = t("Step {number} of {all}. {stage}", number=number, all=last, stage=translate(STAGES[stage]))
    if not total:
        return text
    elapsed, first = time.time() - status["stage_started"], status.get("from", 0)
    unit = {"features": t("images"), "training": t("epochs"), "rounds": t("rounds")}.get(stage)
    counted = t("{done} of {all}", done=done, all=total) + f" {unit}" if unit else f"{done / total:.0%}"
    return f"{text}: {counted}" + _left(elapsed, done - first, total - first)


def fraction(status: dict[str, Any]) -> float:
    """Return how much of the stage is done, 0 to 1."""
    return min(1.0, status.get("done", 0) / max(status.get("total", 0), 1))


def _left(elapsed: float, done: int, total: int) -> str:
    if not 0 < done < total or elapsed < 0.5:
        return ""
    return t(", about {duration} left", duration=duration(elapsed / done * (total - done)))
