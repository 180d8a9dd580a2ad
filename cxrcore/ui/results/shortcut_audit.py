"""The result of the shortcut audit: its sentence and its measurements."""

import streamlit as st

from cxrcore.audits.corner_occlusion import CornerResult
from cxrcore.audits.shortcut import Sampling, ShortcutAudit
from cxrcore.figures import formatting
from cxrcore.i18n import format_number, t, translate
from cxrcore.metric import Metric


def show(found: ShortcutAudit) -> None:
    """Show the result of an audit."""
    sentence = translate(found.sentence)
    if found.is_shortcut:
        st.error(t("**Shortcut found.** {sentence}", sentence=sentence), icon=":material/warning:")
    else:
        st.info(sentence, icon=":material/info:")
    st.dataframe(_rows(found), hide_index=True)
    if found.source:
        st.markdown(
            t(
                "The **source** of an image is predicted with {accuracy} accuracy. If the classes come from different "
                "sources, a model can learn the source instead of the disease.",
                accuracy=formatting.with_interval(found.source),
            )
        )
    if found.lungs:
        text = t(
            "Lungs only and lungs masked: on {n} images, of which {whole} are classified correctly as a whole. Lungs "
            "from: {origin}.",
            n=found.lungs.whole.n,
            whole=formatting.percent(found.lungs.whole),
            origin=translate(found.lungs.origin),
        )
        st.caption(text)
    if found.corners:
        _corner(*max(found.corners.items(), key=lambda item: item[1].changed))
    for place, share in _energy(found):
        st.markdown(
            t("Share of the Grad-CAM {place}: {share} (n = {n}).", place=place, share=_whole_percent(share), n=share.n)
        )
    if found.sampling:
        _sampling(found.sampling)
    st.caption(
        t(
            "A linear head on the features of this run's backbone, cross-validated by patient; intervals by bootstrap "
            "over patients. An audit that finds nothing does not prove that there is no shortcut."
        )
    )


def _sampling(found: Sampling) -> None:
    """Show how many images were used, and that the measurement may have ended early."""
    text = t("The widest border was measured on {n} of {of} images, the pixel values on more.", n=found.n, of=found.of)
    if found.planned_looks > 1:
        looks = t(
            "The measurement ends when the result is clear, here after {looks} of {planned} looks; the interval is "
            "corrected for them (Bonferroni).",
            planned=found.planned_looks,
            looks=found.looks,
        )
        text = f"{text} {looks}"
    st.caption(text)


def _rows(found: ShortcutAudit) -> list[dict[str, str | int | None]]:
    rows: list[dict[str, str | int | None]] = [_row(t("whole image, backbone features"), found.full)]
    features = {t("backbone features"): found.border, t("pixel values"): found.border_pixels}
    for name, by_width in features.items():
        rows += [
            _row(t("border of {width} pixels, {features}", width=width, features=name), by_width[width])
            for width in sorted(by_width, reverse=True)
        ]
    if found.lungs:
        rows.append(_row(t("lungs only, backbone features"), found.lungs.only))
        rows.append(_row(t("lungs masked, backbone features"), found.lungs.without))
    chance: dict[str, str | int | None] = {
        t("visible"): t("nothing: always the largest class"),
        t("accuracy"): format_number(found.chance, ".1%"),
    }
    return [*rows, chance | {t("95% interval"): "", t("images"): None}]


def _row(visible: str, metric: Metric) -> dict[str, str | int | None]:
    return {
        t("visible"): visible,
        t("accuracy"): formatting.percent(metric),
        t("95% interval"): formatting.interval(metric),
        t("images"): metric.n,
    }


def _energy(found: ShortcutAudit) -> list[tuple[str, Metric]]:
    """Return where a share of the Grad-CAM was measured, and the share."""
    frame, outside = found.energy.frame, found.energy.outside
    return [
        *([(t("in the outer 15% of each side (51% of the area)"), frame)] if frame else []),
        *([(t("outside the lungs"), outside)] if outside else []),
    ]


def _whole_percent(metric: Metric) -> str:
    return formatting.with_interval(metric, digits=0)


def _corner(name: str, corner: CornerResult) -> None:
    n = corner.accuracy.n
    if not corner.changed:
        st.markdown(t("Blacking out any one corner changes none of {n} predictions on test images.", n=n))
        return
    st.markdown(
        t(
            "Blacking out the **{corner} corner** changes {changed} of {n} predictions on test images, the most of the "
            "four corners. The accuracy is then {accuracy}.",
            corner=translate(name),
            changed=corner.changed,
            n=n,
            accuracy=formatting.with_interval(corner.accuracy),
        )
    )
