"""The comparison of mitigations: what each image transform leaves of the class, the border and the source."""

import streamlit as st

from cxrcore.audits.mitigations import MitigationResult, Mitigations
from cxrcore.features.image_transforms import TRANSFORMS
from cxrcore.figures import formatting
from cxrcore.i18n import format_number, t, translate

_RELEVANT = 0.1  # a lower fall of the border's accuracy is not recommended


def show(found: Mitigations) -> None:
    """Show the table of image transforms and the one that lowers the accuracy from the border most."""
    rows = found.transforms
    st.dataframe([_row(name, row) for name, row in rows.items()], hide_index=True)
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


def _row(name: str, row: MitigationResult) -> dict[str, str]:
    columns = {
        t("whole image"): row.full,
        t("border, backbone features"): row.border,
        t("border, pixel values"): row.border_pixels,
        t("source"): row.source,
    }
    shown = {title: formatting.with_interval(metric) for title, metric in columns.items()}
    return {t("image transform"): translate(TRANSFORMS[name])} | shown
