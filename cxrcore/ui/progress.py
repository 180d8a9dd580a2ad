"""Progress with the remaining time, for work in the page and for a run in its own process."""

import time
from collections.abc import Mapping

import streamlit as st

from cxrcore.i18n import t, translate
from cxrcore.progress import Progress, StageProgress
from cxrcore.runs.models import RunStatus
from cxrcore.training.pipeline import STAGES
from cxrcore.ui.feedback import duration

_REDRAW = 0.2  # seconds between two drawings of a bar


def bar(text: str, unit: str = "") -> Progress:
    """Show a progress bar and return the function that moves it.

    With a unit it also shows the rate; bytes are shown as megabytes.
    """
    shown, start, first, drawn = st.progress(0.0, text=text), time.monotonic(), -1, 0.0

    def move(done: int, total: int) -> None:
        nonlocal first, drawn
        first = done if first < 0 else first
        now = time.monotonic()
        if done != total and now - drawn < _REDRAW:
            return
        drawn = now
        left = _left(now - start, done - first, total - first)
        shown.progress(min(1.0, done / total) if total else 0.0, text=f"{text}: {_count(done, total)}{left}")

    def _count(done: int, total: int) -> str:
        size, name = (2**20, "MB") if unit == "bytes" else (1, unit)
        counted = t("{done} of {all}", done=done // size, all=total // size) if total else f"{done // size}"
        counted += " MB" if size > 1 else ""
        elapsed = time.monotonic() - start
        if not unit or elapsed < 0.5:
            return counted
        return f"{counted}, {(done - first) / size / elapsed:.0f} {name}/s"

    return move


def stages(names: Mapping[str, str] | None = None) -> StageProgress:
    """Return a function that shows one bar for each stage; `names` are their texts in the current language."""
    bars: dict[str, Progress] = {}

    def move(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            bars[stage] = bar((names or {}).get(stage) or translate(stage))
        bars[stage](done, total)

    return move


def stage_text(status: RunStatus) -> str:
    """Return what a running run does, how far it is and how long this stage still takes."""
    stage = status.stage
    last = len(STAGES) - (stage != "resampling")  # most runs have one split alone
    number = list(STAGES).index(stage) + 1
    text = t("Step {number} of {all}. {stage}", number=number, all=last, stage=translate(STAGES[stage]))
    if not status.total:
        return text
    units = {"training": t("epochs"), "resampling": t("folds or repeats")}
    units |= dict.fromkeys(("features", "larger", "heatmaps"), t("images"))
    counted = f"{status.done / status.total:.0%}"
    if unit := units.get(stage):
        counted = t("{done} of {all}", done=status.done, all=status.total) + f" {unit}"
    elapsed = time.time() - status.stage_started
    return f"{text}: {counted}" + _left(elapsed, status.done - status.first, status.total - status.first)


def fraction(status: RunStatus) -> float:
    """Return how much of the stage is done, 0 to 1."""
    return min(1.0, status.done / max(status.total, 1))


def _left(elapsed: float, done: int, total: int) -> str:
    if not 0 < done < total or elapsed < 0.5:
        return ""
    return t(", about {duration} left", duration=duration(elapsed / done * (total - done)))
