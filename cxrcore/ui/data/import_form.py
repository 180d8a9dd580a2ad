"""From files that were found to a dataset: columns of a CSV, what each finding counts as, the name, and the import."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from cxrcore.data import classes, dataset, importing
from cxrcore.data.file_tree import FileTree
from cxrcore.data.readers import detect, table
from cxrcore.data.readers.covid_chestxray import read_csv
from cxrcore.i18n import N_, current, t, translate
from cxrcore.ui import progress, query_params

_LEAVE_OUT = N_("(leave out)")


def show(trees: Sequence[FileTree], key: str, roots: Sequence[Path]) -> None:
    """Show the steps that make a dataset of `trees`; `key` tells their widgets from those of other files."""
    columns = _columns(trees, key)
    readings = [reading for tree in trees for reading in detect.read(tree, columns)]
    mapping = _mapping(importing.merged(readings, {}), key)
    name = st.text_input(t("Name of the dataset"), dataset.free_name("mydata"), key=f"name {key}")
    if st.button(t("Import"), type="primary", key=f"import {key}"):
        move = progress.bar(t("Opening images"), t("images"))
        importing.import_trees(trees, name, importing.Choices(mapping, columns=columns), move, roots=roots)
        added(name)
    st.caption(t("Images in folders stay where they are. If it is interrupted, import again: it goes on where it was."))


def added(name: str) -> None:
    """Bring a new dataset into view."""
    query_params.put("dataset", name)
    query_params.put("view", "Overview")
    st.toast(t("Dataset {name} is ready.", name=name), icon=":material/check_circle:")
    st.rerun()


def _columns(trees: Sequence[FileTree], key: str) -> dict[str, str]:
    """Return the column of each role, chosen for the CSV that was named; nothing for other sources."""
    listed = next((tree for tree in trees if tree.table), None)
    if listed is None:
        return {}
    names = list(read_csv(listed, listed.table).columns)
    guessed = table.guess(names)
    st.markdown(t("Columns of **{table}**:", table=listed.table))
    chosen = {}
    for role, place in zip(table.ROLES, st.columns(4) + st.columns(4), strict=True):
        options = ["", *names]
        chosen[role] = place.selectbox(
            translate(role), options, options.index(guessed.get(role, "")), key=f"column {role} {key}",
            format_func=lambda name: name or t("none"),
        )  # fmt: skip
    return chosen


def _mapping(found: pd.DataFrame, key: str) -> dict[str, str]:
    """Show what each finding counts as, to be changed; return finding to class."""
    found = found[~found["left_out"].str.startswith(("view", "repeated", "missing"))]
    counts = found.groupby(["source", "finding", "label"]).size().reset_index(name="images")
    names = {name: translate(name) or translate(_LEAVE_OUT) for name in ("", *classes.CLASSES)}
    label = t("class")
    shown = pd.DataFrame(
        {
            t("source"): counts["source"],
            t("finding"): counts["finding"],
            t("images"): counts["images"],
            label: counts["label"].map(lambda name: names.get(name, name)),
        }
    )
    st.markdown(t("What each finding counts as:"))
    edited = st.data_editor(
        shown,
        hide_index=True,
        disabled=[name for name in shown if name != label],
        column_config={label: st.column_config.SelectboxColumn(options=list(names.values()), required=True)},
        key=f"mapping {key} {hash(tuple(counts['finding']))} {current()}",
    )
    codes = {name: code for code, name in names.items()}
    chosen = [codes.get(name, name) for name in edited[label]]
    return {f"{row.source}/{row.finding}": code for row, code in zip(counts.itertuples(), chosen, strict=True)}
