"""The training images that are most similar to an image."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cxrcore.data import classes
from cxrcore.i18n import format_number, t
from cxrcore.ui import gallery, image_names


def show(found: pd.DataFrame | None, names: Sequence[str], key: str) -> None:
    """Show what `similar_images.nearest` found.

    Args:
        found: its table, None for a run without features of its training images.
        names: the classes of the run.
        key: of the grid.
    """
    if found is None:
        st.caption(t("This run has no features of its training images. Train it again to see similar images."))
        return
    st.caption(t("Cosine similarity of the features; 1 is the same direction."))
    called = map(image_names.name, found["path"], found["sha256"])
    columns = zip(found["path"], found["label"], called, found["similarity"], strict=True)
    cards = [
        gallery.Card(path, label, classes.label(label), (name, format_number(similarity, ".3f")))
        for path, label, name, similarity in columns
    ]
    gallery.show(cards, names, key, clickable=False)
