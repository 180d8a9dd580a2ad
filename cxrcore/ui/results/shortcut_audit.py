"""The shortcut audit of a run: its verdict, its evidence, and the button that makes it."""

from typing import Any

import streamlit as st

from cxrcore.features import backbones
from cxrcore.i18n import N_, format_number, t, translate
from cxrcore.runs import Run
from cxrcore.ui import background_tasks, feedback
from cxrcore.ui.results import mitigations

_WHAT = N_(
    "Blacks out all but the border of every image, trains anew on what is left, and tests on patients it has not "
    "seen. If the class can still be told, the answer was not in the lungs."
)


def show(run: Run) -> None:
    """Show the audit, or offer it; then what can be done."""
    st.subheader(t("Does it cheat?"))
    passes = 10 + len(run.table) / backbones.get(run.config["backbone"]).rate
    about = t("{what} Takes about {duration}.", what=translate(_WHAT), duration=feedback.duration(10 + 6 * passes))
    if not (found := run.shortcut):
        background_tasks.offer(run, "shortcut", t("Run the shortcut audit"), about, made=False)
        return
    _result(found)
    background_tasks.offer(run, "shortcut", t("Audit again"), about, made=True)
    st.subheader(t("What can be done?"))
    if remedies := run.optional("remedies.json"):
        mitigations.show(remedies)
    about = t(
        "Takes parts of every image away in five ways and measures what that leaves of the class, of the border and "
        "of the source. Takes about {duration}.",
        duration=feedback.duration(10 + 12 * passes),
    )
    label = t("Measure again") if remedies else t("Measure what can be done")
    background_tasks.offer(run, "remedies", label, about, made=bool(remedies))


def _result(found: dict[str, Any]) -> None:
    if found["verdict"] == "shortcut":
        st.error(t("**A shortcut.** {sentence}", sentence=translate(found["sentence"])), icon=":material/warning:")
    else:
        st.info(translate(found["sentence"]), icon=":material/info:")
    rows = [_row(t("the whole image, by backbone"), found["full"])]
    for key, means in (("border", t("backbone")), ("border_pixels", t("plain pixels"))):
        rows += [
            _row(t("a border of {width} pixels, by {means}", width=width, means=means), part)
            for width, part in reversed(found[key].items())
        ]
    if lungs := found.get("lungs"):
        rows.append(_row(t("only the lungs, by backbone"), lungs["only"]))
        rows.append(_row(t("all but the lungs, by backbone"), lungs["without"]))
    rows.append(
        {
            t("visible"): t("nothing: always the largest class"),
            t("accuracy"): format_number(found["chance"], ".1%"),
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
    _parts(found)
    st.caption(
        t(
            "A linear head on this run's backbone, cross-validated by patient; intervals by bootstrap over "
            "patients. An audit that finds nothing does not prove that there is nothing."
        )
    )


def _parts(found: dict[str, Any]) -> None:
    """Say what the audits of the run's own model found; audits of older versions have none."""
    if lungs := found.get("lungs"):
        st.caption(
            t(
                "Only and all but the lungs: of {n} images, of whose whole {whole:.1%} are told right. Lungs from: "
                "{origin}.",
                n=lungs["whole"]["n"], whole=lungs["whole"]["accuracy"], origin=translate(lungs["from"]),
            )
        )  # fmt: skip
    if corners := found.get("corners"):
        _corner(*max(corners.items(), key=lambda item: item[1]["changed"]))
    if energy := found.get("energy"):
        parts = [(t("in the outer 15% of the sides, which are 51% of the area"), energy["frame"])]
        parts.append((t("outside the lungs"), energy["outside"]))
        for place, part in ((place, part) for place, part in parts if part):
            st.markdown(
                t(
                    "Of the test images' Grad-CAM, {share:.0%} lies {place} (95% interval {low:.0%} to {high:.0%}, "
                    "n = {n}).",
                    share=part["value"], place=place, low=part["ci95"][0], high=part["ci95"][1], n=part["n"],
                )
            )  # fmt: skip


def _corner(name: str, corner: dict[str, Any]) -> None:
    if not corner["changed"]:
        st.markdown(t("Blacking out any one corner changes none of {n} answers on test images.", n=corner["n"]))
        return
    low, high = corner["ci95"]
    st.markdown(
        t(
            "With the **{corner} corner** blacked out, the run's own model changes {changed} of {n} answers on test "
            "images, the most of the four corners, and is right in {accuracy:.1%} (95% interval {low:.1%} to "
            "{high:.1%}).",
            corner=translate(name), changed=corner["changed"], accuracy=corner["accuracy"], n=corner["n"],
            low=low, high=high,
        )
    )  # fmt: skip


def _row(visible: str, found: dict[str, Any]) -> dict[str, str]:
    low, high = found["ci95"]
    return {
        t("visible"): visible,
        t("accuracy"): format_number(found["accuracy"], ".1%"),
        t("95% interval"): t("{low:.1%} to {high:.1%}", low=low, high=high),
    }
