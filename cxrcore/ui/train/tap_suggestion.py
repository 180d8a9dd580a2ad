"""The button that tries every layer of the backbone, and its result."""

from typing import Any

import streamlit as st

from cxrcore.config import run_config
from cxrcore.figures import formatting
from cxrcore.i18n import format_number, t
from cxrcore.training import tap_selection
from cxrcore.training.tap_selection import TapSuggestion
from cxrcore.ui import computing, feedback, progress

_USED = ("dataset", "backbone", "weights", "weights_file", "size", "image_transform", "split")


def offer(layer: dict[str, Any], tap_key: str) -> None:
    """Offer to try the layers for the config of `layer`; `tap_key` is the widget that a suggestion sets."""
    chosen = {name: layer[name] for name in _USED if name in layer}
    memory = f"taps {sorted(chosen.items(), key=str)}"
    st.caption(
        t(
            "A linear probe compares the layers on training and validation images; test images are not used, "
            "unless there are several folds or repeats. It takes one pass of up to 320 "
            "images through the backbone."
        )
    )
    if st.button(t("Suggest a layer"), icon=":material/lightbulb:"):
        with feedback.friendly():
            config = run_config.make("recommended", chosen)
            titles = {stage: t(title) for stage, title in tap_selection.STAGES.items()}
            st.session_state[memory] = computing.compute(
                t("Trying each layer"), tap_selection.suggest, config, progress=progress.stages(titles)
            )
            st.rerun()
    if memory in st.session_state:
        _result(st.session_state[memory], tap_key)


def _result(found: TapSuggestion, tap_key: str) -> None:
    rows = [
        {
            t("layer"): row.tap,
            t("map"): " x ".join(map(str, row.map_shape)),
            t("time per image"): f"{format_number(row.milliseconds, '.1f')} ms",
            t("accuracy of a linear probe"): formatting.with_interval(row.accuracy),
            t("images"): row.accuracy.n,
            "": t("suggested") if row.tap == found.suggested else "",
        }
        for row in found.taps
    ]
    st.dataframe(rows, hide_index=True)
    st.caption(t("Suggested is the fastest layer within one standard error of the best one."))
    st.button(t("Use the suggested layer"), on_click=_use, args=(tap_key, found.suggested), icon=":material/check:")


def _use(tap_key: str, tap: str) -> None:
    st.session_state[tap_key] = tap
