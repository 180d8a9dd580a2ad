"""The import form: columns of a CSV, the class of each finding, the name of the dataset."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore.data import classes, dataset, importing, mapping
from cxrcore.data.classes import NO_FOLDER
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import detect, table
from cxrcore.data.readers.covid_chestxray import read_csv
from cxrcore.i18n import N_, current, nt, t, translate
from cxrcore.ui import feedback, progress, query_params

_LEAVE_OUT = N_("(leave out)")


def show(trees: Sequence[FileTree], key: str, allowed: Sequence[Path]) -> None:
    """Show the form for `trees`; `key` distinguishes its widgets from those of other files."""
    columns = _columns(trees, key)
    readings = [reading for tree in trees for reading in detect.read(tree, columns)]
    found = mapping.apply(readings).table
    found = found[~found["left_out"].isin(("view", "repeated", "missing"))]
    loose = found["finding"] == NO_FOLDER
    chosen = _class_of_loose_files(found[loose], key) | _mapping(found[~loose], key)
    name = st.text_input(t("Name of the dataset"), dataset.free_name("mydata"), key=f"name {key}")
    if st.button(t("Import"), type="primary", key=f"import {key}"):
        move = progress.bar(t("Opening images"), t("images"))
        options = importing.ImportOptions(mapping.Choices(chosen), columns=columns)
        importing.import_trees(trees, name, options, move, roots=allowed)
        open_new(name)
    st.caption(t("Images in folders stay where they are. An interrupted import continues when you import again."))


def open_new(name: str) -> None:
    """Open a new dataset on the page."""
    query_params.put("dataset", name)
    query_params.put("view", "Overview")
    st.toast(t("Dataset {name} is ready.", name=feedback.plain_text(name)), icon=":material/check_circle:")
    st.rerun()


def _columns(trees: Sequence[FileTree], key: str) -> dict[str, str]:
    """Return the column of each role, chosen for the CSV that was given; nothing for other sources."""
    listed = next((tree for tree in trees if tree.table), None)
    if listed is None:
        return {}
    names = list(read_csv(listed, listed.table).columns)
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


def _class_names() -> dict[str, str]:
    """Return the name of each class, and of leaving out, by its code."""
    return {code: classes.label(code) if code else translate(_LEAVE_OUT) for code in ("", *classes.TUTORIAL)}


def _class_of_loose_files(found: pd.DataFrame, key: str) -> dict[str, str]:
    """Ask for the class of uploaded files that lie in no folder; return finding to class."""
    if found.empty:
        return {}
    names = _class_names()
    label: str | None = st.selectbox(
        nt("Class of the {n} file in no folder", "Class of the {n} files in no folder", len(found)),
        list(names),
        index=None,
        format_func=names.__getitem__,
        placeholder=t("Choose a class"),
        help=t("Files of several classes: upload folders named after the classes, or relabel images after the import."),
        key=f"loose {key}",
    )
    if label is None:
        st.warning(t("These files lie in no class folder. Without a class they are left out."))
    return {f"{source}/{NO_FOLDER}": label or "" for source in found["source"].unique()}


def _mapping(found: pd.DataFrame, key: str) -> dict[str, str]:
    """Show the class of each finding, to be changed; return finding to class."""
    if found.empty:
        return {}
    counts = found.groupby(["source", "finding", "label"]).size().reset_index(name="images")
    names = _class_names()
    label = t("class")
    shown = pd.DataFrame(
        {
            t("source"): counts["source"],
            t("finding"): counts["finding"],
            t("images"): counts["images"],
            label: counts["label"].map(names),
        }
    )
    st.markdown(t("Class of each finding:"))
    edited = st.data_editor(
        shown,
        hide_index=True,
        disabled=[name for name in shown if name != label],
        column_config={label: st.column_config.SelectboxColumn(options=list(names.values()), required=True)},
        key=f"mapping {key} {hash(tuple(counts['finding']))} {current()}",
    )
    codes = {name: code for code, name in names.items()}
    chosen = [codes[name] for name in edited[label]]
    return {f"{row.source}/{row.finding}": code for row, code in zip(counts.itertuples(), chosen, strict=True)}
