"""A prediction table to the tiles of the grid."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from cxrcore.data.images import ImageError, open_rgb
from cxrcore.evaluation.metrics import probability_columns
from cxrcore.report.grid_pdf import Tile

_SIDE = 240


def from_predictions(table: pd.DataFrame, classes: Sequence[str]) -> Iterator[Tile]:
    """Yield one tile a row, small enough for a page of thirty; an image that is gone becomes a black one."""
    best = table[probability_columns(classes)].max(axis=1)
    for row, probability in zip(table.itertuples(), best, strict=True):
        yield Tile(_small(Path(str(row.path))), str(row.label), str(row.predicted), float(probability))


def _small(path: Path) -> Image.Image:
    try:
        image = open_rgb(path).convert("L")
    except ImageError:
        return Image.new("L", (_SIDE, _SIDE))
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return image
