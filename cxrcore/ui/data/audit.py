"""The audit of a dataset: issues that could mislead a model, found before training."""

import pandas as pd
import streamlit as st

from cxrcore.audits.dataset import audit, confounders
from cxrcore.audits.dataset.audit import DatasetAudit
from cxrcore.audits.dataset.issues import KINDS, SEVERE, Issue
from cxrcore.audits.dataset.statistics_probe import StatisticsProbe
from cxrcore.data import classes, editing
from cxrcore.data.dataset import Dataset
from cxrcore.errors import UserError
from cxrcore.figures import formatting
from cxrcore.i18n import format_number, nt, t, translate
from cxrcore.ui import feedback, gallery, progress
from cxrcore.ui.data import edit_history

_SHOWN = 12


def last_audit(data: Dataset) -> DatasetAudit | None:
    """Return the last audit of the dataset, None if there is none; a damaged file is shown as a warning."""
    try:
        return audit.load(data)
    except UserError as error:
        st.warning(feedback.error_text(error.message) + " " + t("Run the audit again."), icon=":material/warning:")
        return None


def show(data: Dataset) -> None:
    """Show the last audit of the dataset and a button that runs it."""
    st.caption(t("Looks for duplicates, patients in two parts of the split, possible confounders and outliers."))
    edit_history.show(data)
    found = last_audit(data)
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
    for number, issue in enumerate(found.issues):
        _show_issue(data, issue, number)
    _show_association(found)


def _show_issue(data: Dataset, issue: Issue, number: int) -> None:
    icon = ":material/error:" if issue.kind in SEVERE else ":material/info:"
    with st.container(border=True):
        title = translate(KINDS.get(issue.kind, issue.kind))
        st.markdown(f"{icon} **{title}**: {feedback.plain_text(translate(issue.sentence))}")
        in_use = set(data.usable["row"])
        exclude = [row for row in issue.exclude if row in in_use]
        with st.container(horizontal=True, vertical_alignment="center"):
            look = st.toggle(t("Show images"), key=f"look {number}")
            if exclude and st.button(
                nt("Exclude {n} image", "Exclude {n} images", len(exclude)),
                help=t("Makes a new version of the dataset. Can be undone."),
                key=f"exclude {number}",
            ):
                editing.exclude(data.name, exclude, audit.title(issue))
                st.rerun()
        if look:
            _show_images(data, issue, number)


def _show_images(data: Dataset, issue: Issue, number: int) -> None:
    rows = [row for row in issue.rows if row in data.table.index]
    groups = {row: t("group {number}", number=k) for k, group in enumerate(issue.groups, 1) for row in group}
    cards = [
        gallery.Card(path, label, classes.label(label) or t("no class"), (groups.get(row, ""), path.rsplit("/", 1)[-1]))
        for row, path, label in data.table.loc[rows[:_SHOWN], ["row", "path", "label"]].itertuples(index=False)
    ]
    gallery.show(cards, data.classes, f"images of issue {number}", clickable=False)
    if len(rows) > _SHOWN:
        counted = t("{shown} of {rows}.", shown=_SHOWN, rows=len(rows))
        st.caption(f"{counted} {t('The tab Images shows all: choose this issue, and all images.')}")


def _show_association(found: DatasetAudit) -> None:
    st.subheader(t("Association with the class"))
    left, right = st.columns(2)
    columns = [_column_title(name) for name in found.cramers_v]
    table = pd.DataFrame({t("property"): columns, "V": list(found.cramers_v.values())})
    v = st.column_config.ProgressColumn(t("Cramér's V"), min_value=0.0, max_value=1.0, format="%.2f")
    left.dataframe(table, hide_index=True, height="content", column_config={"V": v})
    left.caption(
        t(
            "0: no association with the class. 1: it determines the class. Empty: one value for all images, or known "
            "for one class only. View, age and sex count where they are known."
        )
    )
    with right:
        _show_table(found)
        if found.statistics_probe is None:
            st.caption(t("The probe needs two classes with two patients each."))
        else:
            _show_probe(found.statistics_probe)


def _show_table(found: DatasetAudit) -> None:
    name = st.selectbox(t("Images by class and property"), list(found.tables), format_func=_column_title)
    if name is not None:
        table = pd.DataFrame(found.tables[name]).T.fillna(0).astype(int)
        st.dataframe(table.rename(index=_value_title, columns=classes.label), height="content")


def _column_title(name: str) -> str:
    return translate(confounders.COLUMNS.get(name, name))


def _value_title(value: str) -> str:
    shown = confounders.display(value)
    return shown if isinstance(shown, str) else translate(shown)


def _show_probe(probe: StatisticsProbe) -> None:
    feedback.numbers(
        {
            t("Accuracy from 20 image statistics"): formatting.percent(probe.accuracy),
            t("Chance"): format_number(probe.chance, ".1%"),
        }
    )
    st.markdown(
        t(
            "A linear classifier that sees only size, aspect, histogram and border brightness reaches {accuracy} (95% "
            "interval, n = {n}, cross-validated by patient). Without the histogram, which disease changes too: "
            "{border}. A model that uses the lungs should be much better than this.",
            accuracy=formatting.with_interval(probe.accuracy),
            n=probe.accuracy.n,
            border=formatting.with_interval(probe.border),
        )
    )
