"""The HTML report: one file that opens anywhere, without a network, and says what was learned and how sure that is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from plotly.offline import get_plotlyjs

from cxrcore.data.images import ImageError
from cxrcore.evaluation.metrics import certainty, probability_columns
from cxrcore.explain.overlay import overlay
from cxrcore.figures import charts, confusion_matrix, palette, probability_curves, thumbnails
from cxrcore.i18n import t, translate
from cxrcore.reports import templates
from cxrcore.reports.run_summary import RunSummary

_SIDE = 256
MOST_IMAGES = 150  # at about 25 kB an image and its overlay, beside 5 MB of Plotly
Progress = Callable[[int, int], None]


def render(facts: RunSummary, progress: Progress | None = None) -> str:
    """Return the report in the current language, a whole HTML document. `progress` hears of the images drawn."""
    return templates.html(
        "report.html.j2",
        facts=facts,
        plotly=get_plotlyjs(),
        figures={name: _embedded(figure) for name, figure in _figures(facts).items()},
        images=_images(facts, progress or (lambda done, total: None)),
        left_out=max(0, len(facts.table) - MOST_IMAGES),
        colours=palette.class_colours(facts.classes),
    )


def _figures(facts: RunSummary) -> dict[str, go.Figure]:
    epochs, kept, ink = facts.run.epochs, facts.stored["kept_epoch"], palette.INK["light"]
    matrix = facts.metrics["confusion"]
    return {
        "confusion": confusion_matrix.confusion(matrix, facts.classes, confusion_matrix.BY_TRUE, ink, clickable=False),
        **probability_curves.of(facts.table, facts.classes),
        "accuracy": charts.curves(epochs, "accuracy", t("Accuracy"), len(epochs), kept),
        "loss": charts.curves(epochs, "loss", t("Loss"), len(epochs), kept),
    }


def _embedded(figure: go.Figure) -> str:
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False}))


def _images(facts: RunSummary, progress: Progress) -> list[dict[str, Any]]:
    """Return the test images, wrong ones first and then the least sure, at most `MOST_IMAGES`."""
    table, heatmaps, columns = facts.table, facts.run.heatmaps(), probability_columns(facts.classes)
    confidence = table[columns].max(axis=1)
    order = (
        table.assign(confidence=confidence).sort_values(["correct", "confidence"], kind="stable").index[:MOST_IMAGES]
    )
    found = []
    for done, number in enumerate(order, 1):
        row = table.loc[number]
        heatmap = np.asarray(heatmaps[number, facts.classes.index(row["predicted"])])
        found.append(
            {
                "name": Path(row["path"]).name,
                "pictures": _pictures(Path(row["path"]), heatmap),
                "predicted": row["predicted"],
                "true": row["label"],
                "right": bool(row["correct"]),
                "confidence": certainty(confidence[number]),
                "every": " · ".join(
                    f"{translate(name)} {certainty(row[column])}"
                    for name, column in zip(facts.classes, columns, strict=True)
                ),
            }
        )
        progress(done, len(order))
    return found


def _pictures(path: Path, heatmap: np.ndarray) -> tuple[str, str] | None:
    """Return an image and its overlay as data URLs, None if the image can no longer be read."""
    try:
        image = thumbnails.small(path, _SIDE)
    except ImageError:
        return None
    return thumbnails.data_url(image), thumbnails.data_url(Image.fromarray(overlay(np.asarray(image), heatmap)))
