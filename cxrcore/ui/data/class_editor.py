"""The classes of a dataset: rename, merge, reorder, and choose the positive one."""

import pandas as pd
import streamlit as st

from cxrcore.data import classes, editing
from cxrcore.data.dataset import Dataset
from cxrcore.i18n import t
from cxrcore.ui import feedback


def show(data: Dataset) -> None:
    """Show the classes in a table whose names and order can be changed, in a form."""
    names = data.info.classes
    with st.expander(t("Edit the classes"), icon=":material/edit:"):
        st.caption(
            t(
                "Change a name to rename a class; give two classes one name to merge them. Makes a new version that "
                "can be undone; earlier runs keep theirs."
            )
        )
        with st.form(f"classes {data.name} {data.version}", border=False):
            frame = _table(data, names)
            positive = _positive(data)
            if st.form_submit_button(t("Apply")):
                with feedback.friendly():
                    _apply(data, frame, positive)
                    st.rerun()


def _table(data: Dataset, names: list[str]) -> pd.DataFrame:
    counts = data.counts()
    order, label, new = t("order"), t("class"), t("new name")
    frame: pd.DataFrame = pd.DataFrame(
        {
            order: range(1, len(names) + 1),
            label: [classes.label(name) for name in names],
            new: names,
            t("images"): [counts.get(name, 0) for name in names],
        }
    )
    edited = st.data_editor(
        frame,
        hide_index=True,
        disabled=[label, t("images")],
        column_config={
            order: st.column_config.NumberColumn(width="small", required=True),
            new: st.column_config.TextColumn(max_chars=classes.LONGEST, required=True),
        },
        height="content",
        key=f"class names {data.name} {data.version}",
    )
    return pd.DataFrame({"name": names, "new": edited[new], "order": edited[order]})


def _positive(data: Dataset) -> str:
    """Ask for the positive class of a two-class question; return its name before renaming, "" for other questions."""
    if not data.positive:
        return ""
    return st.radio(
        t("Positive class"),
        data.classes,
        data.classes.index(data.positive),
        format_func=lambda name: feedback.plain_text(classes.label(name)),
        horizontal=True,
        help=t("Sensitivity, specificity and predictive values are those of the positive class."),
        key=f"positive {data.name} {data.version}",
    )


def _apply(data: Dataset, frame: pd.DataFrame, positive: str) -> None:
    renamed = {name: classes.checked(new) for name, new in zip(frame["name"], frame["new"], strict=True)}
    order = list(dict.fromkeys(renamed[name] for name in frame.sort_values("order", kind="stable")["name"]))
    editing.change_classes(data.name, renamed, order, renamed.get(positive, ""))
