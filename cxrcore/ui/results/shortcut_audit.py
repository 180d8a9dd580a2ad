"""The result of the shortcut audit: its sentence, the accuracies of its probes, and what these see of an image."""

import numpy as np
import streamlit as st

from cxrcore.audits import masked_views
from cxrcore.audits.corner_occlusion import CornerResult
from cxrcore.audits.masked_views import MaskedView
from cxrcore.audits.shortcut import Sampling, ShortcutAudit
from cxrcore.figures import formatting, palette
from cxrcore.figures.dot_plot import Dot, dot_plot
from cxrcore.i18n import format_number, t, translate
from cxrcore.metric import Metric
from cxrcore.runs import Run
from cxrcore.ui import kept_figures, metric_table

_WITH_LUNGS, _WITHOUT, _SOURCE = palette.TRAINING, palette.VALIDATION, "#8A97A5"
_VIEW_WIDTH = 150  # pixels


def show(run: Run, found: ShortcutAudit) -> None:
    """Show the result of an audit."""
    sentence = translate(found.sentence)
    if found.is_shortcut:
        st.error(t("**Shortcut found.** {sentence}", sentence=sentence), icon=":material/warning:")
    else:
        st.info(sentence, icon=":material/info:")
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        _plot(found)
    with right:
        _views(_pictures(run.name, max(found.border), run))
    _findings(found)
    with st.expander(t("Table and method")):
        metric_table.show(_table(found), f"{run.name}-shortcut-audit.csv")
        _method(found)


def _plot(found: ShortcutAudit) -> None:
    rows = _dots(found)
    chance = format_number(found.chance, ".0%")
    figure = kept_figures.made(dot_plot, rows, t("accuracy"), (t("chance {share}", share=chance), found.chance))
    texts = [f"{row.label} {formatting.with_interval(row.metric)}" for row in rows]
    alt = t("Accuracy by what is visible; chance {share}", share=chance) + ": " + "; ".join(texts)
    st.plotly_chart(figure, key="shortcut audit", alt=alt, config={"displayModeBar": False})
    legend = t("Green: with the lungs. Orange: without them.")
    if found.source:
        legend += " " + t("Grey: the source in place of the class, to which the line does not apply.")
    st.caption(legend)


def _dots(found: ShortcutAudit) -> list[Dot]:
    rows = [Dot(t("whole image"), found.full, _WITH_LUNGS)]
    if found.lungs:
        rows.append(Dot(t("lungs only"), found.lungs.only, _WITH_LUNGS))
        rows.append(Dot(t("lungs masked"), found.lungs.without, _WITHOUT))
    rows += [
        Dot(t("border of {width} px", width=width), found.border[width], _WITHOUT)
        for width in sorted(found.border, reverse=True)
    ]
    rows += [
        Dot(t("{width} px, pixel values", width=width), found.border_pixels[width], _WITHOUT)
        for width in sorted(found.border_pixels, reverse=True)
    ]
    return [*rows, Dot(t("source"), found.source, _SOURCE)] if found.source else rows


@st.cache_data(max_entries=32, show_spinner=False)
def _pictures(name: str, width: int, _run: Run) -> list[MaskedView]:
    return masked_views.views(_run, width)


def _views(found: list[MaskedView]) -> None:
    row = st.container(horizontal=True, gap="small")
    for view in found:
        title = translate(view.title)
        row.image(np.asarray(view.picture), title, _VIEW_WIDTH, alt=t("Example image: {view}", view=title))


def _findings(found: ShortcutAudit) -> None:
    """Say what was measured besides the class from parts of the image."""
    if found.source:
        st.markdown(
            t(
                "The **source** of an image is predicted with {accuracy} accuracy. If the classes come from different "
                "sources, a model can learn the source instead of the disease.",
                accuracy=formatting.with_interval(found.source),
            )
        )
    if found.corners:
        _corner(*max(found.corners.items(), key=lambda item: item[1].changed))
    for place, share in _energy(found):
        st.markdown(
            t("Share of the Grad-CAM {place}: {share} (n = {n}).", place=place, share=_whole_percent(share), n=share.n)
        )


def _method(found: ShortcutAudit) -> None:
    if found.lungs:
        text = t(
            "Lungs only and lungs masked: on {n} images, of which {whole} are classified correctly as a whole. Lungs "
            "from: {origin}.",
            n=found.lungs.whole.n,
            whole=formatting.percent(found.lungs.whole),
            origin=translate(found.lungs.origin),
        )
        st.caption(text)
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


def _table(found: ShortcutAudit) -> list[metric_table.Row]:
    rows = [_row(t("whole image, backbone features"), found.full)]
    features = {t("backbone features"): found.border, t("pixel values"): found.border_pixels}
    for name, by_width in features.items():
        rows += [
            _row(t("border of {width} pixels, {features}", width=width, features=name), by_width[width])
            for width in sorted(by_width, reverse=True)
        ]
    if found.lungs:
        rows.append(_row(t("lungs only, backbone features"), found.lungs.only))
        rows.append(_row(t("lungs masked, backbone features"), found.lungs.without))
    return [*rows, _row(t("nothing: always the largest class"), Metric(found.chance))]


def _row(visible: str, metric: Metric) -> metric_table.Row:
    return {t("visible"): visible, t("accuracy"): metric}


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
