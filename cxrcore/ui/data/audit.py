"""The check of a dataset: what could mislead a model, on the screen before training."""

from typing import Any

import pandas as pd
import streamlit as st

from cxrcore.audits.dataset import audit, confounders
from cxrcore.data import editing
from cxrcore.data.dataset import Dataset
from cxrcore.i18n import N_, format_number, nt, t, translate
from cxrcore.ui import feedback, gallery, progress
from cxrcore.ui.data import edit_history

_TITLES = {
    "exact-duplicate": N_("The same picture twice"),
    "near-duplicate": N_("Nearly the same picture"),
    "patient-leak": N_("Patients on both sides of the split"),
    "confound": N_("Something else tells the class"),
    "outlier": N_("Unlike the others"),
}
_GRAVE = {"confound", "patient-leak"}
_SHOWN = 12


def show(data: Dataset) -> None:
    """Show the last check of the dataset, or offer one."""
    edit_history.bar(data)
    report = audit.last(data)
    again = report is not None and report["version"] == data.version
    if report is None:
        st.markdown(
            t(
                "Looks for what could mislead a model: pictures that occur twice, patients on both sides of a "
                "split, classes that the hospital, the view or the file tells, and images that are no "
                "frontal X-ray or lie on their side. Nothing leaves this machine."
            )
        )
    elif not again:
        st.warning(
            t("This is the check of version {version}; the dataset has changed since.", version=report["version"])
        )
    label = t("Check again") if report else t("Check this dataset")
    if st.button(label, type="secondary" if again else "primary", icon=":material/fact_check:"):
        audit.run(data, progress.stages({"measuring": t("Measuring images"), "comparing": t("Looking for copies")}))
        st.rerun()
    if report:
        _report(data, report)


def _report(data: Dataset, report: dict[str, Any]) -> None:
    findings = report["findings"]
    if not findings and not report["small_classes"]:
        st.success(
            t(
                "Nothing was found in {n} images. That does not prove that there is nothing: a shortcut inside "
                "the lungs, or a wrong label, cannot be seen here.",
                n=report["n"],
            )
        )
    if report["gone"]:
        st.warning(
            t(
                "{gone} images are no longer where they were. Put them back, or import the dataset again.",
                gone=report["gone"],
            )
        )
    for label, patients in report["small_classes"].items():
        st.warning(
            t(
                "{label} has {patients} patients only. Whatever is measured on them will be very uncertain.",
                label=translate(label),
                patients=patients,
            )
        )
    for number, finding in enumerate(findings):
        _finding(data, finding, number)
    _measures(report)


def _finding(data: Dataset, finding: dict[str, Any], number: int) -> None:
    icon = ":material/error:" if finding["kind"] in _GRAVE else ":material/info:"
    with st.container(border=True):
        st.markdown(
            f"{icon} **{translate(_TITLES[finding['kind']])}**: {feedback.plain_text(translate(finding['sentence']))}"
        )
        in_use = set(data.usable["row"])
        exclude = [row for row in finding["exclude"] if row in in_use]
        with st.container(horizontal=True, vertical_alignment="center"):
            look = st.toggle(t("Show images"), key=f"look {number}")
            if exclude and st.button(
                nt("Exclude {n} image", "Exclude {n} images", len(exclude)), key=f"exclude {number}",
                help=t("Makes a new version of the dataset. Can be undone."),
            ):  # fmt: skip
                editing.exclude(data.name, exclude, finding["kind"])
                st.rerun()
        if look:
            _images(data, finding)


def _images(data: Dataset, finding: dict[str, Any]) -> None:
    rows = [row for row in finding["rows"] if row in data.table.index]
    names = {
        row: t("group {number}", number=number + 1) for number, group in enumerate(finding["groups"]) for row in group
    }
    cards = [
        gallery.Card(path, label, translate(label) or t("no class"), (names.get(row, ""), path.rsplit("/", 1)[-1]))
        for row, path, label in data.table.loc[rows[:_SHOWN], ["row", "path", "label"]].itertuples(index=False)
    ]
    gallery.show(cards, data.classes)
    if len(rows) > _SHOWN:
        st.caption(
            t(
                "{shown} of {rows}. All are under Images, by the finding's name (Which: all).",
                shown=_SHOWN,
                rows=len(rows),
            )
        )


def _table(report: dict[str, Any]) -> None:
    name = st.selectbox(
        t("Images by class and"), list(report["tables"]), format_func=lambda name: translate(confounders.COLUMNS[name])
    )
    table = pd.DataFrame(report["tables"][name]).T.fillna(0).astype(int)
    st.dataframe(table.rename(index=translate, columns=translate), height="content")


def _measures(report: dict[str, Any]) -> None:
    st.subheader(t("What goes with the class"))
    left, right = st.columns(2)
    table = pd.DataFrame(
        {
            t("what"): [translate(confounders.COLUMNS[name]) for name in report["cramers_v"]],
            "V": list(report["cramers_v"].values()),
        }
    )
    left.dataframe(
        table, hide_index=True, height="content",
        column_config={
            "V": st.column_config.ProgressColumn(t("Cramér's V"), min_value=0.0, max_value=1.0, format="%.2f")
        },
    )  # fmt: skip
    left.caption(
        t(
            "0: nothing to do with the class. 1: it tells the class. Empty: the same for all images, or "
            "known for one class only. View, age and sex count where they are known."
        )
    )
    probed = report["source_probe"]
    with right:
        _table(report)
        if probed is None:
            st.caption(t("The probe needs two classes with two patients each."))
            return
        low, high = probed["ci95"]
        feedback.numbers(
            {
                t("Told by 20 trivial statistics"): format_number(probed["accuracy"], ".0%"),
                t("Chance"): format_number(probed["chance"], ".0%"),
            }
        )
        border = probed["border"]
        st.markdown(
            t(
                "A linear classifier that sees only size, aspect, histogram and border brightness is right on "
                "{accuracy:.0%} (95% interval {low:.0%} to {high:.0%}, n = {n}, by patient). Without the "
                "histogram, which disease changes too: {borders:.0%} ({border_low:.0%} to {border_high:.0%}). A model "
                "has to be much better than this to have learned from the lungs.",
                accuracy=probed["accuracy"],
                low=low,
                high=high,
                n=probed["n"],
                borders=border["accuracy"],
                border_low=border["ci95"][0],
                border_high=border["ci95"][1],
            )
        )
