"""The audit of a dataset: issues that could mislead a model, found before training."""

from collections.abc import Set

import streamlit as st

from cxrcore.audits.dataset import audit
from cxrcore.audits.dataset.audit import DatasetAudit
from cxrcore.audits.dataset.issues import CONFOUNDER, KINDS, SEVERE, Issue
from cxrcore.data import classes, editing
from cxrcore.data.dataset import Dataset
from cxrcore.i18n import nt, t, translate
from cxrcore.ui import feedback, progress
from cxrcore.ui.data import confounders as confounder_card
from cxrcore.ui.data import duplicates, edit_history, samples

_SHOWN = 12


def show(data: Dataset) -> None:
    """Show the last audit of the dataset and a button that runs it."""
    st.caption(t("Looks for duplicates, patients in two parts of the split, possible confounders and outliers."))
    edit_history.show(data)
    found = samples.last_audit(data)
    current = found is not None and found.version == data.version
    if found is None:
        st.markdown(
            t(
                "The audit compares all images with each other, and source, view, age, sex and file properties with "
                "the class. All images are processed on this machine."
            )
        )
    elif not current:
        st.warning(t("This is the audit of version {version}; the dataset has changed since.", version=found.version))
    label = t("Run the audit again") if found else t("Run the audit")
    if st.button(label, type="secondary" if current else "primary", icon=":material/fact_check:"):
        stages = {code: translate(title) for code, title in audit.STAGES.items()}
        audit.run(data, progress.stages(stages))
        st.rerun()
    if found:
        _show_audit(data, found)


def _show_audit(data: Dataset, found: DatasetAudit) -> None:
    if not found.issues and not found.small_classes:
        st.success(
            t(
                "No issue was found in {n} images. The audit cannot see shortcuts inside the lungs or wrong labels.",
                n=found.n,
            )
        )
    if found.missing_files:
        text = t("Images whose file is missing: {n}. Put the files back, or import again.", n=found.missing_files)
        st.warning(text)
    for label, patients in found.small_classes.items():
        name = feedback.plain_text(classes.label(label))
        text = nt(
            "{name} has only {n} patient; its metrics will be very uncertain.",
            "{name} has only {n} patients; its metrics will be very uncertain.",
            patients,
            name=name,
        )
        st.warning(text)
    confounder_card.show(data, found)
    in_use = set(data.usable["row"])
    for number, issue in enumerate(found.issues):
        if issue.kind != CONFOUNDER:
            _show_issue(data, issue, number, in_use)


def _show_issue(data: Dataset, issue: Issue, number: int, in_use: Set[int]) -> None:
    icon = ":material/error:" if issue.kind in SEVERE else ":material/info:"
    with st.container(border=True):
        title = translate(KINDS.get(issue.kind, issue.kind))
        st.markdown(f"{icon} **{title}**: {feedback.plain_text(translate(issue.sentence))}")
        exclude = [row for row in issue.exclude if row in in_use]
        with st.container(horizontal=True, vertical_alignment="center"):
            look = st.toggle(t("Show images"), bool(issue.groups), key=f"look {number}")
            if exclude and st.button(
                nt("Exclude {n} image", "Exclude {n} images", len(exclude)),
                help=t("Makes a new version of the dataset. Can be undone."),
                key=f"exclude {number}",
            ):
                editing.exclude(data.name, exclude, audit.title(issue))
                st.rerun()
        if look and issue.groups:
            duplicates.show(data, issue, number)
        elif look:
            _show_images(data, issue, number)


def _show_images(data: Dataset, issue: Issue, number: int) -> None:
    rows = [row for row in issue.rows if row in data.table.index]
    samples.grid(data, rows[:_SHOWN], f"issue-{number}")
    if len(rows) > _SHOWN:
        counted = t("{shown} of {rows}.", shown=_SHOWN, rows=len(rows))
        st.caption(f"{counted} {t('The tab Images shows all: choose this issue, and all images.')}")
