"""The Robustness tab: external validation, the shortcut audit and mitigations."""

import streamlit as st

from cxrcore.audits import mitigations as mitigations_audit
from cxrcore.audits import shortcut
from cxrcore.i18n import t
from cxrcore.runs import Run
from cxrcore.ui import background_tasks
from cxrcore.ui.results import external_validation, mitigations, shortcut_audit


def show(run: Run) -> None:
    """Show what was measured, and offer the rest."""
    external_validation.show(run)
    found = shortcut.load(run)
    _shortcut_audit(run, found)
    if found:  # a mitigation is for a shortcut that was measured
        _mitigations(run, found.chance)


def _shortcut_audit(run: Run, found: shortcut.ShortcutAudit | None) -> None:
    st.subheader(t("Shortcut audit"))
    st.caption(
        t(
            "A shortcut is something outside the lungs that gives the class away, such as a marker or the style of a "
            "hospital."
        )
    )
    if found:
        shortcut_audit.show(run, found)
    description = t(
        "Blacks out all but the border of a sample of the images, trains a linear head on the rest, and tests it on "
        "other patients. An accuracy above chance then comes from outside the lungs. Takes about {duration}.",
        duration=background_tasks.duration(shortcut.seconds, run),
    )
    label = t("Run the audit again") if found else t("Run shortcut audit")
    background_tasks.offer(run, "shortcut", label, description, done=bool(found))


def _mitigations(run: Run, chance: float) -> None:
    st.subheader(t("Mitigations"))
    st.caption(t("Image transforms that remove what a shortcut may use, compared by what they leave."))
    found = mitigations_audit.load(run)
    if found:
        mitigations.show(run, found, chance)
    description = t(
        "Transforms a sample of the images in five ways and measures the accuracy that remains from the border, and "
        "for the best two from the whole image and for the source. Takes about {duration}.",
        duration=background_tasks.duration(mitigations_audit.seconds, run),
    )
    label = t("Compare mitigations again") if found else t("Compare mitigations")
    background_tasks.offer(run, "mitigations", label, description, done=bool(found))
