"""The shortcut audit of a run: its verdict, its evidence, and the button that makes it."""

from typing import Any

import streamlit as st

from cxrcore import settings
from cxrcore.features import backbones
from cxrcore.language import local, said, t, translated
from cxrcore.runs import Run
from cxrcore.ui import messages, progress

_WHAT = said(
    "Blacks out all but the border of every image, trains anew on what is left, and tests on patients it has not "
    "seen. If the class can still be told, the answer was not in the lungs."
)


def show(run: Run) -> None:
    """Show the audit, or offer it."""
    st.subheader(t("Does it cheat?"))
    if found := run.shortcut:
        _result(found)
        return
    if settings.read_only():
        st.caption(t("The shortcut audit was not run."))
        return
    backbone, count = backbones.get(run.config["backbone"]), len(run.table)
    st.caption(
        t(
            "{what} Takes about {duration}; stay on this page meanwhile.",
            what=translated(_WHAT),
            duration=messages.duration(10 + 4 * count / backbone.rate),
        )
    )
    if st.button(t("Run the shortcut audit"), icon=":material/policy:"):
        with messages.friendly():
            _make(run)
            st.rerun()


def _make(run: Run) -> None:
    with st.spinner(t("Loading the libraries")):
        from cxrcore.evaluation import shortcut
    bars: dict[str, Any] = {}

    def listen(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            bars[stage] = progress.bar(translated(stage).capitalize())
        bars[stage](done, total)

    shortcut.audit(run, listen)


def _result(found: dict[str, Any]) -> None:
    if found["verdict"] == "shortcut":
        st.error(t("**A shortcut.** {sentence}", sentence=translated(found["sentence"])), icon=":material/warning:")
    else:
        st.info(translated(found["sentence"]), icon=":material/info:")
    rows = [_row(t("the whole image, by backbone"), found["full"])]
    for key, means in (("border", t("backbone")), ("border_pixels", t("plain pixels"))):
        rows += [
            _row(t("a border of {width} pixels, by {means}", width=width, means=means), part)
            for width, part in reversed(found[key].items())
        ]
    rows.append(
        {
            t("visible"): t("nothing: always the largest class"),
            t("accuracy"): local(found["chance"], ".1%"),
            t("95% interval"): "",
        }
    )
    st.dataframe(rows, hide_index=True)
    if source := found["source"]:
        low, high = source["ci95"]
        st.markdown(
            t(
                "Which **source** an image comes from can be told in {accuracy:.1%} (95% interval {low:.1%} to "
                "{high:.1%}). If classes come from different sources, a model can learn the source instead of "
                "the disease.",
                accuracy=source["accuracy"],
                low=low,
                high=high,
            )
        )
    st.caption(
        t(
            "A linear head on this run's backbone, cross-validated by patient; intervals by bootstrap over "
            "patients. An audit that finds nothing does not prove that there is nothing."
        )
    )


def _row(visible: str, found: dict[str, Any]) -> dict[str, str]:
    low, high = found["ci95"]
    return {
        t("visible"): visible,
        t("accuracy"): local(found["accuracy"], ".1%"),
        t("95% interval"): t("{low:.1%} to {high:.1%}", low=low, high=high),
    }
