"""Can the picture be believed? The table of methods and checks, and a sentence on the worst."""

from typing import Any

import streamlit as st

from cxrcore.explain.methods import GRADIENT_METHODS, METHODS
from cxrcore.i18n import N_, format_number, t, translate
from cxrcore.runs import Run
from cxrcore.ui import background_tasks, feedback
from cxrcore.ui.explain import options

_MODEL = {
    "deletion": N_("deletion"), "insertion": N_("insertion"), "over_random": N_("over random"),
    "random_weights": N_("shuffled weights"), "stability": N_("noise"),
}  # fmt: skip
_IMAGE = {
    "pointing": N_("peak in a lesion"), "in_lesions": N_("share in lesions"), "in_lungs": N_("share in lungs"),
}  # fmt: skip


def show(run: Run) -> None:
    """Show the checks of a run's heatmaps, or offer to make them."""
    found = run.faithfulness
    if not found:
        st.info(
            t("A heatmap is a claim about the model. Nothing was measured yet that would support it for this run."),
            icon=":material/info:",
        )
    else:
        _result(found)
    images = min(16, len(run.predictions("test")))
    seconds = 15 + len(GRADIENT_METHODS) * images * 24 * options.cost(run, "grad-cam") / 3
    background_tasks.offer(
        run, "faithfulness", t("Measure again") if found else t("Measure whether it can be believed"),
        t(
            "Takes the heatmaps' best parts away from {n} test images and brings them back, shuffles the model's "
            "weights, adds noise, and looks where lesions and lungs are known. About {duration}.",
            n=images, duration=feedback.duration(seconds),
        ),
        made=bool(found),
    )  # fmt: skip


def _result(found: dict[str, Any]) -> None:
    worst, flaws = found["worst"], found["flaws"]
    title = translate(METHODS[worst].title)
    if flaws[worst]:
        st.warning(
            t(
                "Least to be believed here: **{method}**. {flaws}",
                method=title, flaws=" ".join(map(translate, flaws[worst])),
            ),
            icon=":material/warning:",
        )  # fmt: skip
    else:
        st.success(
            t("No method fails a check. The one whose map matters least to the model is {method}.", method=title)
        )
    named = {translate(METHODS[name].title): row for name, row in found["methods"].items()}
    st.dataframe(
        [_row(title, row, _MODEL) for title, row in (named | {t("a random map"): found["random"]}).items()],
        hide_index=True,
    )
    st.dataframe([_row(title, row, _IMAGE, ".0%") for title, row in named.items()], hide_index=True)
    for name, sentences in found["flaws"].items():
        if sentences and name != worst:
            st.caption(f"{translate(METHODS[name].title)}: " + " ".join(map(translate, sentences)))
    checks = found["methods"][worst]
    counts = {name: checks[name]["n"] if checks[name] else 0 for name in ("random_weights", "pointing", "in_lungs")}
    st.caption(
        t(
            "Layer {layer}, the predicted class. Deletion: area under the probability while the brightest cells are "
            "blurred away, low is good; insertion: while they come back, high is good (both, and noise, on {n} test "
            "images). Over random: how much more that is than for a random map, with an interval above 0 if it can be "
            "told. Shuffled weights: rank correlation with the map of a model whose weights were shuffled, 0 is good "
            "(n = {shuffled}). Noise: rank correlation after noise of 1% of the range, 1 is good. Lesions: where they "
            "are known and the class is right (n = {lesions}). Lungs: n = {inside}, from {lungs}. In brackets the 95% "
            "interval, by bootstrap over patients; of the peak, Wilson's.",
            layer=found["layer"], n=checks["deletion"]["n"], shuffled=counts["random_weights"],
            lesions=counts["pointing"], inside=counts["in_lungs"], lungs=translate(found["lungs_from"]),
        )
    )  # fmt: skip


def _row(title: str, row: dict[str, Any], checks: dict[str, str], form: str = ".2f") -> dict[str, str]:
    return {t("method"): title} | {translate(name): _cell(row.get(check), form) for check, name in checks.items()}


def _cell(check: dict[str, Any] | None, form: str) -> str:
    if check is None:
        return "–"
    low, high = (format_number(value, form) for value in check["ci95"])
    return t("{value} ({low} to {high})", value=format_number(check["value"], form), low=low, high=high)
