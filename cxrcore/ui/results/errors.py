"""The errors and the correct predictions with a low margin, with notes that are kept with the run."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore import settings
from cxrcore.data import classes
from cxrcore.evaluation import error_analysis
from cxrcore.evaluation.metrics import certainty
from cxrcore.i18n import format_number, t
from cxrcore.runs import Run
from cxrcore.ui import feedback, gallery

_PER_PAGE = 20


def show(run: Run, table: pd.DataFrame, names: Sequence[str]) -> None:
    """Show both tables; a note is saved when its cell is left."""
    notes = error_analysis.read_notes(run)
    errors, correct = error_analysis.errors_by_confidence(table, names), error_analysis.low_margin(table, names)
    st.subheader(t("Errors by confidence ({n})", n=len(errors)))
    st.caption(t("Incorrect predictions, highest confidence first."))
    if errors.empty:
        st.success(t("No test image was classified incorrectly. With few images that can happen by chance."))
    else:
        _table(run, errors.iloc[gallery.page_of(len(errors), _PER_PAGE, "errors page")], notes, "errors")
    st.subheader(t("Correct, low margin ({n})", n=len(correct)))
    st.caption(t("Margin: the probability of the predicted class minus that of the next class."))
    _table(run, correct, notes, "correct")
    st.caption(t("Notes are kept with the run and visible to everybody who opens it."))


def _table(run: Run, rows: pd.DataFrame, notes: dict[str, str], key: str) -> None:
    if rows.empty:
        return
    image, note = t("image"), t("note")
    columns = {
        image: st.column_config.ImageColumn(width="small"),
        note: st.column_config.TextColumn(width="large", max_chars=2000),
    }
    shown = pd.DataFrame(
        {
            image: [gallery.thumbnail(path)[0] for path in rows["path"]],
            t("file"): [Path(path).name for path in rows["path"]],
            t("predicted"): rows["predicted"].map(classes.label),
            t("true"): rows["label"].map(classes.label),
            t("confidence"): rows["confidence"].map(certainty),
            t("margin"): [format_number(margin, ".2f") for margin in rows["margin"]],
            note: [notes.get(sha256, "") for sha256 in rows["sha256"]],
        }
    ).reset_index(drop=True)
    if settings.read_only():
        st.dataframe(shown, hide_index=True, column_config=columns, row_height=84, height="content")
        return
    digests = list(rows["sha256"])
    edits = st.session_state.setdefault("edits of notes", 0)  # after an edit a new editor shows what is on disk
    editor = f"notes {key} {hash(tuple(digests))} {edits}"
    st.data_editor(
        shown,
        hide_index=True,
        column_config=columns,
        disabled=[name for name in shown if name != note],
        row_height=84,
        height="content",
        key=editor,
        on_change=_save,
        args=(run, digests, editor, note),
    )


def _save(run: Run, digests: list[str], editor: str, note: str) -> None:
    """Save the notes that were edited now, and no others: these may have been changed by other people."""
    with feedback.friendly():
        for row, change in st.session_state[editor]["edited_rows"].items():
            if note in change:
                error_analysis.write_note(run, digests[int(row)], change[note] or "")
    st.session_state["edits of notes"] += 1
