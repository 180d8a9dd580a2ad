"""The tutorials' grid of predicted and true labels as a PDF."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from cxrcore.data.images import ImageError
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.figures import thumbnails
from cxrcore.i18n import t
from cxrcore.reports import grid_pdf
from cxrcore.reports.html_report import Progress
from cxrcore.reports.run_summary import RunSummary

_SIDE = 240


def render(facts: RunSummary, a_page: int = grid_pdf.A_PAGE, progress: Progress | None = None) -> bytes:
    """Return the PDF of all test images in the current language, `a_page` on a page; see `grid_pdf.render`."""
    heading = t("Predicted and true labels, run {name}", name=facts.run.name)
    if facts.run.is_phantom:
        heading += " " + t("(phantoms: drawn, not X-rays of people)")
    return grid_pdf.render(_tiles(facts, progress or (lambda done, total: None)), heading, a_page)


def _tiles(facts: RunSummary, progress: Progress) -> Iterator[grid_pdf.Tile]:
    """Yield one tile a test image, without a picture where the image is gone."""
    best = facts.table[probability_columns(facts.classes)].max(axis=1)
    for done, (row, probability) in enumerate(zip(facts.table.itertuples(), best, strict=True), 1):
        try:
            image: Image.Image | None = thumbnails.small(Path(str(row.path)), _SIDE)
        except ImageError:
            image = None
        yield grid_pdf.Tile(
            image.convert("L") if image else None, str(row.label), str(row.predicted), float(probability)
        )
        progress(done, len(facts.table))
