"""The X-ray of the Home page: a phantom with its heatmap, beside what the program is."""

from html import escape
from pathlib import Path

import streamlit as st
from PIL import Image

from cxrcore.figures import thumbnails
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback

# Made by `scripts/make_home_picture.py`.
PHANTOM = Path(__file__).with_name("phantom.jpg")
HEATMAP = Path(__file__).with_name("phantom_heatmap.jpg")
# The X-ray without the heatmap is seen while the pointer or the focus is on it.
_STYLE = """<style>
.cxr-first { display: grid; grid-template-columns: clamp(112px, 26vw, 300px) 1fr; gap: 8px 28px; align-items: center; }
.cxr-first figure { margin: 0; }
.cxr-first .picture { position: relative; aspect-ratio: 1; border-radius: 8px; overflow: hidden; background: #000; }
.cxr-first img { position: absolute; inset: 0; width: 100%; height: 100%; display: block; }
.cxr-first .picture:hover .over, .cxr-first .picture:focus .over { opacity: 0; }
.cxr-first figcaption { font-size: 13px; line-height: 1.35; padding-top: 5px; }
.cxr-first h1 { font-size: clamp(1.7rem, 4vw, 2.75rem); font-weight: 700; line-height: 1.15; margin: 0; }
.cxr-first h1 { padding: 0 0 10px; }
.cxr-first p { margin: 0 0 10px; line-height: 1.5; }
@media (max-width: 640px) {
  .cxr-first { column-gap: 16px; align-items: start; }
  .cxr-first figcaption { font-size: 12px; }
  .cxr-first p { font-size: 14px; line-height: 1.4; }
}
</style>"""


def show() -> None:
    """Show the picture, the title, what the program does, and the notice."""
    alt = t("Synthetic X-ray under the heatmap of a model: it is bright over the drawn lesion")
    caption = t("Synthetic X-ray with a model's heatmap.")
    text = t(
        "Train a chest X-ray classifier, evaluate it, explain its predictions, and check what it has learned. "
        "All data stay on this machine."
    )
    notice = t("{notice} A model may be accurate for the wrong reasons.", notice=translate(feedback.NOTICE))
    under, over = _data_url(PHANTOM), _data_url(HEATMAP)
    st.html(
        f'{_STYLE}<div class="cxr-first"><figure><div class="picture" tabindex="0">'
        f'<img src="{under}" alt=""><img class="over" src="{over}" alt="{escape(alt, quote=True)}"></div>'
        f"<figcaption>{escape(caption)}</figcaption></figure><div><h1>{escape(t('Chest X-ray studio'))}</h1>"
        f"<p>{escape(text)}</p><p><b>{escape(notice)}</b></p></div></div>"
    )


@st.cache_data(show_spinner=False)
def _data_url(path: Path) -> str:
    with Image.open(path) as image:
        return thumbnails.data_url(image.convert("RGB"))
