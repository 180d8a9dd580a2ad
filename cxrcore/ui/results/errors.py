"""The errors and the correct predictions with a low margin, with notes that are kept with the run."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cxrcore import settings
from cxrcore.data import classes
from cxrcore.evaluation import error_analysis
from cxrcore.evaluation.metrics import certainty
from cxrcore.i18n import format_number, t
from cxrcore.runs import Run
from cxrcore.ui import feedback, gallery, image_names, sample_view
from cxrcore.ui.fragments import fragment

_PER_PAGE = 20
_MOST_LISTED = 1000  # rows of the table: all are sent to the browser
_SHORT = 60  # characters of a note below its image


def show(run: Run, table: pd.DataFrame, names: Sequence[str]) -> None:
    """Show the images of both lists; a click opens one, where its note can be written.

    When it is closed, both lists are drawn again with the notes, and nothing else of the page.
    """
    fragment(_lists)(run, table, names)


def _lists(run: Run, table: pd.DataFrame, names: Sequence[str]) -> None:
    notes = error_analysis.read_notes(run)
    errors, correct = error_analysis.errors_by_confidence(table, names), error_analysis.low_margin(table, names)
    st.subheader(t("Errors by confidence ({n})", n=len(errors)))
    st.caption(t("Incorrect predictions, highest confidence first."))
    if errors.empty:
        st.success(t("No test image was classified incorrectly. With few images that can happen by chance."))
    _grid(run, table, errors, notes, "errors")
    st.subheader(t("Correct, low margin ({n})", n=len(correct)))
    st.caption(t("Margin: the probability of the predicted class minus that of the next class."))
    _grid(run, table, correct, notes, "correct")
    st.caption(t("Notes are kept with the run and visible to everybody who opens it."))
    box = st.expander(t("Table"), key="table of errors", on_change="rerun")
    if box.open:  # there may be thousands
        box.dataframe(_listed(pd.concat([errors, correct]).head(_MOST_LISTED), notes), hide_index=True)
        if len(errors) + len(correct) > _MOST_LISTED:
            box.caption(t("The first {most:,} of {n:,}.", most=_MOST_LISTED, n=len(errors) + len(correct)))


def _grid(run: Run, table: pd.DataFrame, rows: pd.DataFrame, notes: dict[str, str], key: str) -> None:
    if rows.empty:
        return
    page = rows.iloc[gallery.page_of(len(rows), _PER_PAGE, f"{key} page")]
    clicked = gallery.show([_card(row, notes) for _, row in page.iterrows()], run.classes, key)
    sample_view.show(
        rows.index.tolist(),
        None if clicked is None else int(page.index[clicked]),
        lambda number: sample_view.of_run(run, table, number),
        below=lambda number: _note(run, table, number),
    )


def _card(row: "pd.Series[object]", notes: dict[str, str]) -> gallery.Card:
    predicted, true = str(row["predicted"]), str(row["label"])
    confidence, margin = float(str(row["confidence"])), float(str(row["margin"]))
    title = t("predicted {label}", label=classes.isolated(classes.label(predicted))) + " " + certainty(confidence)
    lines = [t("true {label}", label=classes.label(true)), f"{t('margin')} {format_number(margin, '.2f')}"]
    if note := notes.get(str(row["sha256"]), ""):
        lines.append(f"{t('note')}: {note if len(note) <= _SHORT else note[: _SHORT - 1] + '…'}")
    return gallery.Card(str(row["path"]), predicted, title, tuple(lines), predicted != true)


def _listed(rows: pd.DataFrame, notes: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            t("file"): list(map(image_names.name, rows["path"], rows["sha256"])),
            t("predicted"): rows["predicted"].map(classes.label),
            t("true"): rows["label"].map(classes.label),
            t("confidence"): rows["confidence"].map(certainty),
            t("margin"): [format_number(margin, ".2f") for margin in rows["margin"]],
            t("note"): [notes.get(sha256, "") for sha256 in rows["sha256"]],
        }
    )


def _note(run: Run, table: pd.DataFrame, number: int) -> None:
    """Show the note on an image; a change is saved when the field is left."""
    sha256 = str(table.at[number, "sha256"])
    text = error_analysis.read_notes(run).get(sha256, "")
    if settings.read_only():
        if text:
            st.markdown(f"**{t('note')}**: {feedback.plain_text(text)}")
        return
    key = f"note {run.name} {sha256}"

    def save() -> None:
        with feedback.friendly():
            error_analysis.write_note(run, sha256, st.session_state[key])

    st.text_area(t("note"), text, max_chars=2000, key=key, on_change=save)
