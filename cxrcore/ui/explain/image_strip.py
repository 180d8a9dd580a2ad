"""A strip of thumbnails around the chosen test image, between buttons for the previous and the next one."""

from collections.abc import Callable
from html import escape

import pandas as pd
import streamlit as st

from cxrcore.figures import palette
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback, gallery, query_params

_BESIDE = 4  # thumbnails on each side of the chosen one
# The button of a thumbnail lies over it and is transparent; its label is what a screen reader says.
_STYLE = f"""<style>
.st-key-strip {{ flex-wrap: nowrap; }}
.st-key-strip-Left button p, .st-key-strip-Right button p {{
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }}
[class*="st-key-strip-image-"] {{ position: relative; width: 100%; min-width: 0; }}
[class*="st-key-strip-image-"] > div:last-child {{ position: absolute; inset: 0; }}
[class*="st-key-strip-image-"] .stButton, [class*="st-key-strip-image-"] button {{
  width: 100%; height: 100%; min-height: 0; opacity: 0; }}
[class*="st-key-strip-image-"]:focus-within {{ outline: 3px solid {palette.TRAINING}; outline-offset: 2px; }}
.cxr-strip {{ aspect-ratio: 1; background: #000; border-radius: 4px; overflow: hidden; }}
.cxr-strip.chosen {{ box-shadow: 0 0 0 3px {palette.TRAINING}; }}
.cxr-strip.wrong {{ border-bottom: 5px solid {palette.WRONG}; }}
.cxr-strip img {{ width: 100%; height: 100%; object-fit: contain; display: block; }}
.st-key-strip > div:has([class*="st-key-strip-image-"]) {{ flex: 1 1 0; min-width: 0; max-width: 84px; }}
@media (max-width: 640px) {{
  .st-key-strip {{ gap: 0.5rem; }}
  .st-key-strip button {{ padding: 0.25rem; }}
  .st-key-strip > div:has([class*="st-key-strip-image-far"]) {{ display: none; }}
}}
</style>"""


def show(name: str, chosen: str, rows: list[str], label: Callable[[str], str], table: pd.DataFrame) -> None:
    """Show the images before and after the chosen one; a click, or an arrow key, chooses another.

    Args:
        name: of the choice (see `query_params`).
        chosen: its value, one of `rows`.
        rows: of all images in the prediction table, in the order of the strip.
        label: returns the label of a row.
        table: the prediction table.
    """
    place = rows.index(chosen)
    first = max(0, min(place - _BESIDE, len(rows) - 2 * _BESIDE - 1))
    near = range(max(0, min(place - 2, len(rows) - 5)), min(len(rows), max(place + 3, 5)))
    st.html(_STYLE)
    with st.container(key="strip", horizontal=True, vertical_alignment="center", gap="small"):
        _step(name, rows, place - 1, t("Previous"), ":material/chevron_left:", "Left")
        for number in range(first, min(len(rows), first + 2 * _BESIDE + 1)):
            row = table.loc[int(rows[number])]
            slot = f"{'near' if number in near else 'far'}-{number - first}"
            with st.container(key=f"strip-image-{slot}", gap=None):
                _thumbnail(str(row["path"]), number == place, not row["correct"])
                st.button(
                    f"{number + 1}. " + feedback.plain_text(label(rows[number])),
                    key=f"strip {number}",
                    on_click=query_params.put,
                    args=(name, rows[number]),
                )
        _step(name, rows, place + 1, t("Next"), ":material/chevron_right:", "Right")
    st.caption(t("Image {number} of {n}, errors first", number=place + 1, n=len(rows)))


def _step(name: str, rows: list[str], number: int, label: str, icon: str, key: str) -> None:
    """Show the button that chooses an image by its place; disabled where there is none."""
    inside = 0 <= number < len(rows)
    st.button(
        label,
        key=f"strip {key}",
        icon=icon,
        help=label,
        shortcut=key,
        disabled=not inside,
        on_click=query_params.put,
        args=(name, rows[number] if inside else ""),
    )


def _thumbnail(path: str, chosen: bool, wrong: bool) -> None:
    picture, reason = gallery.thumbnail(path)
    inner = (
        f'<img src="{picture}" alt="">'
        if picture
        else f'<span title="{escape(translate(reason), quote=True)}">?</span>'
    )
    kinds = " chosen" * chosen + " wrong" * wrong
    st.html(f'<div class="cxr-strip{kinds}">{inner}</div>')
