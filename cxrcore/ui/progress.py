"""Progress with time left, for work in the page and for a run in its own process."""

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from cxrcore.ui.messages import duration

# In the order in which they come; the first is the time until the process says something.
STAGES = {
    "starting": "Starting: loading the libraries takes some seconds",
    "reading": "Reading the dataset",
    "weights": "Finding the weights",
    "backbone": "Building the backbone",
    "features": "Computing activations, once for each image",
    "training": "Training the head",
    "evaluating": "Testing on images it has not seen",
    "saving": "Saving the model",
}


def bar(text: str) -> Callable[[int, int], None]:
    """Show a bar in the page and return the function that moves it: (done, total)."""
    shown, start = st.progress(0.0, text=text), time.monotonic()

    def move(done: int, total: int) -> None:
        left = _left(time.monotonic() - start, done, total)
        shown.progress(done / max(total, 1), text=f"{text}: {done} of {total}{left}")

    return move


def stage_text(status: dict[str, Any]) -> str:
    """Return what a running run does, how far it is and how long this stage still takes."""
    stage, done, total = status.get("stage", "starting"), status.get("done", 0), status.get("total", 0)
    number = list(STAGES).index(stage) + 1
    text = f"Step {number} of {len(STAGES)}. {STAGES[stage]}"
    if not total:
        return text
    elapsed = time.time() - status["stage_started"]
    unit = {"features": "images", "training": "epochs"}.get(stage)
    counted = f": {done} of {total} {unit}" if unit else f": {done / total:.0%}"
    return text + counted + _left(elapsed, done, total)


def fraction(status: dict[str, Any]) -> float:
    """Return how much of the stage is done, 0 to 1."""
    return min(1.0, status.get("done", 0) / max(status.get("total", 0), 1))


def _left(elapsed: float, done: int, total: int) -> str:
    if not 0 < done < total or elapsed < 0.5:
        return ""
    return f", about {duration(elapsed / done * (total - done))} left"
