"""Where a run looks on average: the mean heatmap of a class over the test images, over the mean image.

Where the lungs are known (see `lung_masks`), images and heatmaps are first brought to the same frame, the lungs' box;
else the whole images are averaged. Each heatmap is scaled to its own maximum, so that every image counts alike.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrcore.explain.overlay import enlarge
from cxrcore.features import extract, image_transforms, lung_masks
from cxrcore.runs import Run

SIZE, MOST = 192, 300  # pixels a side; images of a class


@dataclass(frozen=True)
class Average:
    """`image` uint8 (SIZE, SIZE, 3) and `heatmap` float32 (SIZE, SIZE), 0 to 1, of `n` images, `aligned` by lungs."""

    image: np.ndarray
    heatmap: np.ndarray
    n: int
    aligned: int


def of_class(run: Run, label: str) -> Average | None:
    """Return the average of the test images that the run calls `label`, at most `MOST` at random; None if
    there are none.

    Raises:
        UserError: an image is gone.
    """
    predictions = run.predictions("test")
    called = np.flatnonzero(predictions["predicted"] == label)
    rows = np.sort(np.random.default_rng(0).permutation(called)[:MOST])
    if not len(rows):
        return None
    table = run.table.set_index("path").loc[predictions["path"].iloc[rows]].reset_index()
    heatmaps = run.heatmaps()[rows, run.about["classes"].index(label)]
    image, heatmap = np.zeros((SIZE, SIZE, 3)), np.zeros((SIZE, SIZE))
    done, aligned, files = 0, 0, lung_masks.given(table)
    for pixels in extract.batches([Path(path) for path in table["path"]], SIZE):
        for picture, mask in zip(pixels, lung_masks.of(table[done : done + len(pixels)], pixels, files), strict=True):
            map_ = enlarge(heatmaps[done], SIZE, SIZE)
            if mask is not None:
                box = image_transforms.box(mask)
                picture, map_, aligned = (
                    image_transforms.cut(picture, box),
                    image_transforms.cut(map_, box),
                    aligned + 1,
                )
            image, done = image + picture, done + 1
            heatmap += np.clip(map_, 0, None) / max(float(map_.max()), 1e-12)
    return Average((image / done).astype(np.uint8), (heatmap / done).astype(np.float32), done, aligned)
