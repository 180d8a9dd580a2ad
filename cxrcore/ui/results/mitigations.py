"""The comparison of mitigations: what each image transform leaves of the class, the border and the source."""

import streamlit as st

from cxrcore import settings
from cxrcore.audits.mitigations import MitigationResult, Mitigations
from cxrcore.features.image_transforms import TRANSFORMS
from cxrcore.figures import formatting
from cxrcore.figures.slope import Panel, slopes
from cxrcore.i18n import format_number, t, translate
from cxrcore.runs import Run
from cxrcore.ui import kept_figures, metric_table

_RELEVANT = 0.1  # a lower fall of the border's accuracy is not recommended


def show(run: Run, found: Mitigations, chance: float) -> None:
    """Show the image transform that lowers the accuracy from the border most, what all of them change, and a button
    that trains with one; `chance` is the accuracy of always answering the largest class.
    """
    _sentence(found)
    _plot(found, chance)
    if not settings.read_only():
        _train(run, found)
    with st.expander(t("Table and method")):
        rows = [_row(name, result) for name, result in found.transforms.items()]
        metric_table.show(rows, f"{run.name}-mitigations.csv")
        _method(found)


def _plot(found: Mitigations, chance: float) -> None:
    before, after = found.transforms[""], {name: each for name, each in found.transforms.items() if name}
    panels = [
        Panel(
            t("from the border alone"),
            before.best_border,
            {_label(name): result.best_border for name, result in after.items()},
        )
    ]
    if before.full:
        whole = {_label(name): result.full for name, result in after.items()}
        panels.append(Panel(t("from the whole image"), before.full, whole))
    share = format_number(chance, ".0%")
    figure = kept_figures.made(slopes, panels, _label(found.best), (t("chance {share}", share=share), chance))
    values = [f"{_label(name)} {formatting.with_interval(result.best_border)}" for name, result in after.items()]
    alt = t(
        "Accuracy from the border alone, before {before}; after each image transform:",
        before=formatting.with_interval(before.best_border),
    )
    st.plotly_chart(figure, key="mitigations", alt=alt + " " + "; ".join(values), config={"displayModeBar": False})


def _train(run: Run, found: Mitigations) -> None:
    """Offer to open the Train page with the settings of the run and an image transform."""
    row = st.container(horizontal=True, vertical_alignment="bottom")
    names = [name for name in found.transforms if name]
    chosen = row.selectbox(
        t("Image transform"), names, names.index(found.best), format_func=_label, width=340, key=f"train {run.name}"
    )
    if row.button(t("Train with this transform"), icon=":material/model_training:"):
        st.switch_page("pages/train.py", query_params={"like": run.name, "transform": chosen})


def _label(name: str) -> str:
    return translate(TRANSFORMS[name])


def _sentence(found: Mitigations) -> None:
    rows = found.transforms
    best = rows[found.best]
    before, after = rows[""].best_border.value or 0.0, best.best_border.value or 0.0
    values = {
        "transform": translate(TRANSFORMS[found.best]),
        "before": format_number(before, ".1%"),
        "after": format_number(after, ".1%"),
        "full": formatting.percent(best.full),
    }
    if before - after >= _RELEVANT:
        st.success(
            t(
                "**{transform}** lowers the accuracy from the border alone most, from {before} to {after}; from the "
                "whole image it is {full}. It can be chosen as the image transform on the Train page.",
                **values,
            ),
            icon=":material/check:",
        )
    else:
        st.info(
            t(
                "No transform lowers the accuracy from the border by 10 points or more. The best, {transform}, leaves "
                "{after} of {before}. The remedy for a shortcut is other data: every class from every source.",
                **values,
            ),
            icon=":material/info:",
        )


def _method(found: Mitigations) -> None:
    st.caption(
        t(
            "Border: {width} pixels of the image before the transform. Measured with a linear head, cross-validated by "
            "patient: features on {n}, pixel values on {pixels} of {of} images, those whose lungs the segmenter finds; "
            "the whole image for the transforms that leave least of the border. A source that can still be predicted "
            "can still mislead.",
            width=found.width,
            n=found.n,
            pixels=found.n_pixels or found.n,
            of=found.of,
        )
    )


def _row(name: str, result: MitigationResult) -> metric_table.Row:
    return {
        t("image transform"): _label(name),
        t("whole image"): result.full,
        t("border, backbone features"): result.border,
        t("border, pixel values"): result.border_pixels,
        t("source"): result.source,
    }
