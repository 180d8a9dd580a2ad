"""The HTML report: one file that opens without a network connection."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from markupsafe import Markup
from PIL import Image
from plotly.offline import get_plotlyjs

from cxrcore.data import flow
from cxrcore.data.errors import ImageError
from cxrcore.data.flow import ImageFlow
from cxrcore.evaluation import probability_metrics
from cxrcore.evaluation.metrics import certainty, probability_columns
from cxrcore.evaluation.reported import NO_HEATMAP
from cxrcore.explain.overlay import overlay
from cxrcore.figures import (
    charts,
    confusion_matrix,
    flow_diagram,
    formatting,
    palette,
    probability_curves,
    resampling,
    selection,
    thumbnails,
)
from cxrcore.i18n import t
from cxrcore.progress import Progress, ignore
from cxrcore.reports import templates
from cxrcore.reports.run_summary import RunSummary, image_id

_SIDE = 256
MOST_IMAGES = 150  # at about 25 kB for an image and its overlay, beside 5 MB of Plotly


@dataclass(frozen=True)
class ReportImage:
    """A test image with its overlay as data URLs and its prediction. No pictures if the file can no longer be read; the
    overlay is "" if no heatmap was kept.
    """

    name: str
    pictures: tuple[str, str] | None
    predicted: str
    true: str
    correct: bool
    confidence: str
    probabilities: str


def render(summary: RunSummary, progress: Progress = ignore) -> str:
    """Return the report in the current language, a whole HTML document; `progress` counts the images."""
    shown = probability_metrics.lowest_auc(summary.probability_metrics, summary.positive)
    drawing = flow_diagram.svg(_flow(summary), summary.classes, palette.INK["light"])
    flow = Markup(drawing)  # nosec B704
    return templates.html(
        "report.html.j2",
        summary=summary,
        plotly=get_plotlyjs(),
        figures={name: _json(figure) for name, figure in _figures(summary, shown).items()},
        flow=flow,
        images=_images(summary, progress),
        left_out=max(0, len(summary.table) - MOST_IMAGES),
        styles=palette.class_styles(summary.classes),
        curves_shown=len(shown),
        curves_left_out=not summary.positive and len(shown) < len(summary.classes),
    )


def _figures(summary: RunSummary, shown: list[str]) -> dict[str, go.Figure]:
    epochs, kept, names = summary.run.epochs, summary.stored.kept_epoch, summary.classes
    matrix, ink, shade = summary.metrics.confusion, palette.INK["light"], confusion_matrix.BY_TRUE
    folds = {"folds": resampling.folds(averaged)} if (averaged := summary.run.averaged) else {}
    found, logistic = summary.run.selection, summary.config.head == "logistic"
    tried = {"selection": selection.selection(found, summary.backbone)} if found and len(found.trials) > 1 else {}
    kept_line = None if logistic else kept
    return {
        **folds,
        **tried,
        "confusion": confusion_matrix.confusion(matrix, names, shade, ink, clickable=False),
        **probability_curves.all_of(summary.table, names, shown),
        "accuracy": charts.curves(epochs, "accuracy", t("Accuracy"), len(epochs), kept_line, logistic),
        "loss": charts.curves(epochs, "loss", t("Loss"), len(epochs), kept_line, logistic),
    }


def _flow(summary: RunSummary) -> ImageFlow:
    """Return the flow of the images, of the dataset as it was when the run began; of several splits without parts."""
    table, snapshot = summary.run.table, summary.info.dataset
    several = summary.run.requested.resampling.count > 1
    parts = {} if several else flow.count_parts(table["split"], table["patient"])
    return ImageFlow(snapshot.counts, snapshot.left_out, parts)


def _json(figure: go.Figure) -> str:
    """Return a figure as JSON that cannot end the script element it stands in."""
    return str(figure.to_json()).replace("<", "\\u003c")


def _images(summary: RunSummary, progress: Progress) -> list[ReportImage]:
    """Return the test images, errors first and then the least confident, at most `MOST_IMAGES`."""
    table, heatmaps, columns = summary.table, summary.run.heatmaps(), probability_columns(summary.classes)
    table = table.assign(confidence=table[columns].max(axis=1))
    order = table.sort_values(["correct", "confidence"], kind="stable").index[:MOST_IMAGES]
    found = []
    for done, number in enumerate(order, 1):
        row = table.loc[number]
        path, kept = Path(row["path"]), row["heatmap"]
        heatmap = None if kept == NO_HEATMAP else np.asarray(heatmaps[kept, summary.classes.index(row["predicted"])])
        probabilities = {name: float(row[column]) for name, column in zip(summary.classes, columns, strict=True)}
        found.append(
            ReportImage(
                name=image_id(row["sha256"]),
                pictures=_pictures(path, heatmap),
                predicted=row["predicted"],
                true=row["label"],
                correct=bool(row["correct"]),
                confidence=certainty(row["confidence"]),
                probabilities=formatting.probabilities(probabilities),
            )
        )
        progress(done, len(order))
    return found


def _pictures(path: Path, heatmap: npt.NDArray[np.float32] | None) -> tuple[str, str] | None:
    """Return an image and its overlay, "" without a heatmap, as data URLs; None if it can no longer be read."""
    try:
        image = thumbnails.small(path, _SIDE)
    except ImageError:
        return None
    if heatmap is None:
        return thumbnails.data_url(image), ""
    return thumbnails.data_url(image), thumbnails.data_url(Image.fromarray(overlay(np.asarray(image), heatmap)))
