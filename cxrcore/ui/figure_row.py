"""Figures beside each other where the window is wide enough, else below each other."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

_LEAST = 360  # pixels: a narrower figure cannot be read
# A column of Streamlit becomes narrower than that before it goes below the one before it.
_STYLE = """<style>
.st-key-{key} > div {{ flex: 1 1 {least}px; min-width: min({least}px, 100%); }}
</style>"""


def columns(count: int, key: str) -> list[DeltaGenerator]:
    """Return containers, each at least 360 pixels wide, or as wide as the window; `key` is a CSS class of the page."""
    st.html(_STYLE.format(key=key, least=_LEAST))
    with st.container(horizontal=True, gap="medium", key=key):
        return [st.container() for _ in range(count)]
