"""What can be done against a shortcut, with figures: before and after each cleaning."""

from typing import Any

import streamlit as st

from cxrcore.audits.mitigations import told
from cxrcore.features.image_transforms import CLEANINGS
from cxrcore.i18n import format_number, t, translate

_LESS = 0.1  # of accuracy: a fall of the border or the source that counts


def show(found: dict[str, Any]) -> None:
    """Show the table of cleanings and say which one takes most of the border's answer away."""
    rows = found["cleanings"]
    st.dataframe([_row(name, row) for name, row in rows.items()], hide_index=True)
    before, after = told(rows[""])["accuracy"], told(rows[found["best"]])["accuracy"]
    values = {
        "cleaning": translate(CLEANINGS[found["best"]]), "before": before, "after": after,
        "full": rows[found["best"]]["full"]["accuracy"],
    }  # fmt: skip
    if before - after >= _LESS:
        st.success(
            t(
                "**{cleaning}** takes most away: from the border alone the class is told in {after:.1%} instead of "
                "{before:.1%}, from the whole image still in {full:.1%}. It can be chosen as Cleaning on the Train "
                "page.",
                **values,
            ),
            icon=":material/check:",
        )
    else:
        st.info(
            t(
                "None of them takes 10 points or more from what the border tells. The best, {cleaning}, leaves "
                "{after:.1%} of {before:.1%}. Against a shortcut, other data helps: every class from every source.",
                **values,
            ),
            icon=":material/info:",
        )
    st.caption(
        t(
            "Border: {width} pixels of the image before the cleaning. Measured on {n} of {of} images, those whose "
            "lungs the studio's segmenter finds, by a linear head, cross-validated by patient. What still tells the "
            "source can still mislead.",
            width=found["width"], n=found["n"], of=found["of"],
        )
    )  # fmt: skip


def _row(name: str, row: dict[str, Any]) -> dict[str, str]:
    return {
        t("cleaning"): translate(CLEANINGS[name]),
        t("whole image"): _cell(row["full"]),
        t("border, backbone"): _cell(row["border"]),
        t("border, plain pixels"): _cell(row["border_pixels"]),
        t("source"): _cell(row["source"]),
    }


def _cell(part: dict[str, Any] | None) -> str:
    if part is None:
        return "–"
    low, high = (format_number(value, ".0%") for value in part["ci95"])
    return t("{value} ({low} to {high})", value=format_number(part["accuracy"], ".1%"), low=low, high=high)
