"""The button that tries every layer of the backbone, and what it found."""

from typing import Any

import streamlit as st

from cxrcore.config import run_config
from cxrcore.figures import formatting
from cxrcore.i18n import N_, format_number, t
from cxrcore.ui import feedback, progress

_STAGES = {
    "backbone": N_("Building the backbone"),
    "features": N_("Passing images through the backbone, once for all layers"),
    "probing": N_("Trying each layer"),
}


def offer(values: dict[str, Any], preset: str, tap_key: str) -> None:
    """Offer to try the layers for the config of `values`; `tap_key` is the widget that a suggestion sets."""
    chosen = {name: values[name] for name in ("dataset", "backbone", "weights", "size", "cleaning", "split")}
    memory = f"taps {sorted(chosen.items(), key=str)}"
    st.caption(
        t(
            "Not sure which layer? A quick linear classifier can try each of them on images that will be trained and "
            "validated on; those of the test stay unseen, unless it is tested several times. It takes one pass of "
            "up to 320 images through the backbone."
        )
    )
    if st.button(t("Suggest a layer"), icon=":material/lightbulb:"):
        with feedback.friendly():
            from cxrcore.training import tap_selection  # TensorFlow is imported here, when it computes

            made = run_config.make(preset, **chosen, weights_file=values.get("weights_file"))
            st.session_state[memory] = tap_selection.suggest(made, progress.stages(_STAGES))
            st.rerun()
    if memory in st.session_state:
        _found(st.session_state[memory], tap_key)


def _found(found: dict[str, Any], tap_key: str) -> None:
    rows = [
        {
            t("layer"): row["tap"],
            t("map"): " x ".join(map(str, row["map"])),
            t("time an image"): f"{format_number(row['milliseconds'], '.1f')} ms",
            t("accuracy of a linear probe"): formatting.with_interval({"value": row["accuracy"], "ci95": row["ci95"]}),
            t("images"): row["n"],
            "": t("suggested") if row["tap"] == found["suggested"] else "",
        }
        for row in found["taps"]
    ]
    st.dataframe(rows, hide_index=True)
    st.caption(t("Suggested is the cheapest layer within one standard error of the best: deeper is not always better."))
    st.button(
        t("Use the suggested layer"), on_click=_use, args=(tap_key, found["suggested"]),
        icon=":material/check:",
    )  # fmt: skip


def _use(tap_key: str, tap: str) -> None:
    st.session_state[tap_key] = tap
