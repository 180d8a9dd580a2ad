"""The table of the findings of sources with the class of each, to be changed."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cxrcore.data import classes, mapping
from cxrcore.data.classes import LEAVE_OUT
from cxrcore.data.mapping import UNCERTAIN, UNCERTAIN_TITLES, Choices, Finding, Uncertain
from cxrcore.errors import UserError
from cxrcore.i18n import N_, current, t, translate
from cxrcore.ui import feedback

_LEAVE_OUT = N_("(leave out)")
# In the session: source/finding to class, and the files that this is for.
_PLACE, _FOR = "classes of findings", "classes of findings for"


def show(findings: Sequence[Finding], several: bool, key: str) -> Choices:
    """Show the class of each finding, which has its default, and return the choices.

    `several`: whether an image may have several findings. `key` distinguishes the widgets from those of other files.
    """
    if several:
        st.markdown(
            t(
                "An image of this set may have several findings. Choose the classes: one finding against images "
                "without findings, or several findings. Images with findings of two classes are left out."
            )
        )
    else:
        st.markdown(t("Class of each finding:"))
    same = st.session_state.get(_FOR) == key
    kept: dict[str, str] = st.session_state.get(_PLACE, {}) if same else {}
    labels = {_name(found): kept.get(_name(found), found.label) for found in findings}
    above = st.container()
    options = _options(findings, labels, key)
    with above:
        labels = _edited(findings, labels, options, several, key)
    st.session_state[_PLACE], st.session_state[_FOR] = labels, key
    uncertain: Uncertain = UNCERTAIN[0]
    if any(found.uncertain for found in findings):
        uncertain = (
            st.segmented_control(
                t("Findings marked as uncertain count as"),
                UNCERTAIN,
                default=uncertain,
                required=True,
                format_func=lambda code: translate(UNCERTAIN_TITLES[code]),
                key=f"uncertain {key}",
            )
            or uncertain
        )
    return Choices(labels, uncertain=uncertain)


def _name(found: Finding) -> str:
    return f"{found.source}/{found.name}"


def _options(findings: Sequence[Finding], labels: dict[str, str], key: str) -> list[str]:
    """Return the classes that can be chosen, with one that the user types."""
    own = {mapping.own_name(found.name) for found in findings} - {LEAVE_OUT}
    typed: list[str] = st.session_state.setdefault(f"typed classes {key}", [])
    new = st.text_input(
        t("New class"),
        placeholder=t("type a name, then choose it above"),
        key=f"new class {key}",
        width=420,
    )
    if new.strip():
        try:
            typed[:] = dict.fromkeys([*typed, classes.checked(new)])
        except UserError as error:
            st.warning(feedback.error_text(error.message))
    return list(dict.fromkeys([*classes.ordered({*labels.values(), *own} - {LEAVE_OUT}), *typed]))


def _edited(
    findings: Sequence[Finding], labels: dict[str, str], options: list[str], several: bool, key: str
) -> dict[str, str]:
    """Show the table; return the class of each finding after the user's changes."""
    shown = _texts(options)
    label = t("class")
    columns = {
        t("finding"): [classes.finding_label(found.name) for found in findings],
        label: [shown[labels[_name(found)]] for found in findings],
        t("images"): [found.images for found in findings],
        t("uncertain"): [found.uncertain for found in findings],
        t("patients"): [found.patients for found in findings],
        t("source"): [found.source for found in findings],
    }
    if len({found.source for found in findings}) == 1:
        del columns[t("source")]
    if not several or not any(found.uncertain for found in findings):
        del columns[t("uncertain")]
    frame: pd.DataFrame = pd.DataFrame(columns)
    edited = st.data_editor(
        frame,
        hide_index=True,
        disabled=[name for name in columns if name != label],
        column_config={
            label: st.column_config.SelectboxColumn(options=list(shown.values()), required=True, width="medium")
        },
        height=min(38 + 35 * len(findings), 460),
        key=f"mapping {key} {hash((tuple(options), tuple(map(_name, findings))))} {current()}",
    )
    codes = {text: name for name, text in shown.items()}
    return {_name(found): codes[text] for found, text in zip(findings, edited[label].tolist(), strict=True)}


def _texts(options: Sequence[str]) -> dict[str, str]:
    """Return the text of each class, and of leaving out, in the table; no two are equal."""
    shown = {LEAVE_OUT: translate(_LEAVE_OUT)}
    for name in options:
        text, number = classes.label(name), 1
        while text in shown.values():
            number += 1
            text = f"{classes.label(name)} ({number})"
        shown[name] = text
    return shown
