"""The tutorials' grid of predicted and true labels as a PDF."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from cxrcore.data import classes
from cxrcore.data.errors import ImageError
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.figures import formatting, thumbnails
from cxrcore.i18n import t, translate
from cxrcore.progress import Progress, ignore
from cxrcore.reports import grid_pdf
from cxrcore.reports.run_summary import RunSummary

_SIDE = 240
_LONGEST = 40  # characters of the name of a class
MOST = 1500  # images, at about 35 kB


def render(summary: RunSummary, per_page: int = grid_pdf.PER_PAGE, progress: Progress = ignore) -> bytes:
    """Return the PDF of the test images in the current language; see `grid_pdf.render`.

    Of more than `MOST` images, it has a random sample of so many, and says so.
    """
    table = summary.table
    shown = table.sample(MOST, random_state=0).sort_index() if len(table) > MOST else table
    heading = t("Predicted and true labels: {title}", title=summary.title)
    if summary.run.is_phantom:
        heading += " " + t("(phantoms: synthetic, not X-rays of people)")
    return grid_pdf.render(_tiles(shown, summary.classes, progress), heading, per_page, _note(summary, len(shown)))


def _note(summary: RunSummary, shown: int) -> str:
    """Return the accuracy, that of always answering the most frequent class, what went wrong, and how many images of
    all are shown where some are not.
    """
    title = t("Test accuracy")
    if summary.basis:
        title = t("Test accuracy, {mean}", mean=translate(summary.headline_label))
    parts = [f"{title}: {formatting.with_interval(summary.headline)}"]
    if found := summary.verdict:
        constant = t("Always answering {label}", label=formatting.shortened(classes.label(found.majority), _LONGEST))
        parts += [f"{constant}: {formatting.with_interval(found.baseline)}", translate(found.title)]
    if shown < len(summary.table):
        parts.append(t("{n:,} of {all:,} images, chosen at random", n=shown, all=len(summary.table)))
    return " · ".join(parts)


def _tiles(table: pd.DataFrame, names: Sequence[str], progress: Progress) -> Iterator[grid_pdf.Tile]:
    """Yield one tile for each row, without a picture where the image is gone."""
    highest = table[probability_columns(names)].max(axis=1)
    rows = zip(table["path"], table["label"], table["predicted"], highest, strict=True)
    for done, (path, true, predicted, probability) in enumerate(rows, 1):
        try:
            image: Image.Image | None = thumbnails.small(Path(path), _SIDE).convert("L")
        except ImageError:
            image = None
        yield grid_pdf.Tile(image, true, predicted, float(probability))
        progress(done, len(table))
