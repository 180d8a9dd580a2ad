"""The import form: columns of a CSV, the class of each finding, the name of the dataset."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from cxrcore.data import classes, dataset, importing, mapping
from cxrcore.data.file_tree import FileTree
from cxrcore.data.mapping import Finding, Mapped
from cxrcore.data.readers import table
from cxrcore.data.readers.base import Reading
from cxrcore.data.readers.covid_chestxray import read_csv
from cxrcore.errors import UserError
from cxrcore.i18n import t, translate
from cxrcore.ui import feedback, progress, query_params
from cxrcore.ui.data import finding_table


def show(trees: Sequence[FileTree], key: str, allowed: Sequence[Path]) -> None:
    """Show the form for `trees`; `key` distinguishes its widgets from those of other files."""
    columns = _columns(trees, key)
    readings, findings = _readings(trees, columns)
    choices = finding_table.show(findings, any(reading.several for reading in readings), key)
    mapped = mapping.apply(readings, choices)
    one_class = len(mapped.classes) == 1 and st.checkbox(
        t("One class is enough: runs are tested on this set, not trained"), key=f"one class {key}"
    )
    ready = _summary(mapped, 1 if one_class else classes.LEAST)
    for reading in readings:
        for note in reading.notes:
            st.caption(feedback.plain_text(translate(note)))
    name = st.text_input(t("Name of the dataset"), dataset.free_name("mydata"), key=f"name {key}")
    if st.button(t("Import"), type="primary", key=f"import {key}", disabled=not ready):
        move = progress.bar(t("Opening images"), t("images"))
        options = importing.ImportOptions(choices, columns=columns, one_class=one_class)
        importing.import_trees(trees, name, options, move, roots=allowed)
        open_new(name)
    st.caption(t("Images in folders stay where they are. An interrupted import continues when you import again."))


def open_new(name: str) -> None:
    """Open a new dataset on the page."""
    query_params.put("dataset", name)
    query_params.put("view", "Overview")
    st.toast(t("Dataset {name} is ready.", name=feedback.plain_text(name)), icon=":material/check_circle:")
    st.rerun()


def _readings(trees: Sequence[FileTree], columns: dict[str, str]) -> tuple[list[Reading], list[Finding]]:
    """Return what is listed in the trees, and the findings by default; kept while the same files are chosen."""
    wanted = (list(trees), columns)  # the same objects while they are kept
    kept: tuple[object, list[Reading], list[Finding]] | None = st.session_state.get("readings")
    if kept is None or kept[0] != wanted:
        with st.spinner(t("Listing the files")):
            readings = importing.read_all(trees, columns)
            kept = (wanted, readings, mapping.apply(readings).findings)
        st.session_state["readings"] = kept
    return kept[1], kept[2]


def _columns(trees: Sequence[FileTree], key: str) -> dict[str, str]:
    """Return the column of each role, chosen for the CSV that was given; nothing for other sources."""
    listed = next((tree for tree in trees if tree.table), None)
    if listed is None:
        return {}
    names = list(read_csv(listed, listed.table, rows=0).columns)
    guessed = table.guess(names)
    st.markdown(t("Columns of **{table}**:", table=feedback.plain_text(listed.table)))
    options = ["", *names]
    chosen = {}
    for role, place in zip(table.ROLES, st.columns(4) + st.columns(4), strict=True):
        chosen[role] = place.selectbox(
            translate(table.ROLES[role]),
            options,
            options.index(guessed.get(role, "")),
            format_func=lambda name: name or t("none"),
            key=f"column {role} {key}",
        )
    return chosen


def _summary(mapped: Mapped, least: int) -> bool:
    """Say what would be imported; return whether it can be."""
    try:
        mapped.check(least)
    except UserError as error:
        st.warning(feedback.error_text(error.message), icon=":material/warning:")
        return False
    st.markdown(feedback.plain_text(translate(mapped.summary())))
    return True
