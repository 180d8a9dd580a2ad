"""Every mistake, and the answers that were nearly one, with notes that stay with the run."""

from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore import settings
from cxrcore.evaluation import error_analysis
from cxrcore.evaluation.metrics import certainty
from cxrcore.i18n import format_number, t, translate
from cxrcore.runs import Run
from cxrcore.ui import feedback, gallery

_PER_PAGE = 20


def show(run: Run, table: pd.DataFrame, classes: list[str]) -> None:
    """Show both tables; a note is kept as soon as its cell is left."""
    notes = error_analysis.notes(run)
    wrong, nearest = error_analysis.wrong(table, classes), error_analysis.nearest(table, classes)
    st.subheader(t("Wrong, the surest first ({n})", n=len(wrong)))
    if wrong.empty:
        st.success(t("No test image was wrong. With few images that happens by luck, too."))
    else:
        _table(run, wrong.iloc[gallery.page_of(len(wrong), _PER_PAGE, "mistakes page")], notes, "wrong")
    st.subheader(t("Right, but only just ({n})", n=len(nearest)))
    _table(run, nearest, notes, "nearest")
    st.caption(
        t("Margin: the probability of the answer minus that of the next class. A note stays with the run and is seen "
          "by everyone who opens it.")
    )  # fmt: skip


def _table(run: Run, rows: pd.DataFrame, notes: dict[str, str], key: str) -> None:
    if rows.empty:
        return
    image, note = t("image"), t("note")
    shown = pd.DataFrame(
        {
            image: [gallery.thumbnail(path)[0] for path in rows["path"]],
            t("file"): [Path(path).name for path in rows["path"]],
            t("predicted"): rows["predicted"].map(translate),
            t("true"): rows["label"].map(translate),
            t("confidence"): rows["confidence"].map(certainty),
            t("margin"): [format_number(margin, ".2f") for margin in rows["margin"]],
            note: [notes.get(sha256, "") for sha256 in rows["sha256"]],
        }
    ).reset_index(drop=True)
    columns = {
        image: st.column_config.ImageColumn(width="small"),
        note: st.column_config.TextColumn(width="large", max_chars=2000),
    }
    if settings.read_only():
        st.dataframe(shown, hide_index=True, column_config=columns, row_height=84, height="content")
        return
    digests = list(rows["sha256"])
    edits = st.session_state.setdefault("edits of notes", 0)  # after an edit a new editor shows what is on disk
    editor = f"notes {key} {hash(tuple(digests))} {edits}"
    st.data_editor(
        shown, hide_index=True, column_config=columns, disabled=[name for name in shown if name != note],
        row_height=84, height="content", key=editor, on_change=_keep, args=(run, digests, editor, note),
    )  # fmt: skip


def _keep(run: Run, digests: list[str], editor: str, note: str) -> None:
    """Keep the notes that were edited just now, and those alone: others may have been changed by other people."""
    with feedback.friendly():
        for row, change in st.session_state[editor]["edited_rows"].items():
            if note in change:
                error_analysis.write_note(run, digests[int(row)], change[note] or "")
    st.session_state["edits of notes"] += 1
