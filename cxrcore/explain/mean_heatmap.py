"""The mean heatmap of a class over the test images, over the mean image.

Where the lungs are known (see `lung_masks`), images and heatmaps are first aligned by the box of the lungs; else the
whole images are averaged. Each heatmap is scaled to its own maximum, so that every image has the same weight.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrcore.explain.overlay import resize
from cxrcore.features import extract, image_transforms, lung_masks
from cxrcore.runs import Run

SIZE, MOST = 192, 300  # pixels per side; images of a class
# Images of all classes together, and of each class at least, where the lungs have to be found: 0.02 s for each image.
MOST_SEGMENTED, FEWEST = 80, 8


@dataclass(frozen=True)
class MeanHeatmap:
    """`image` uint8 (SIZE, SIZE, 3) and `heatmap` float32 (SIZE, SIZE), 0 to 1, of `n` images, `aligned` of them by
    their lungs; `all` images were predicted as the class.
    """

    image: np.ndarray
    heatmap: np.ndarray
    n: int
    aligned: int
    all: int


def of_class(run: Run, label: str) -> MeanHeatmap | None:
    """Return the mean over the test images that are predicted as `label`; None if there are none.

    If there are more than `MOST`, or the class's share of `MOST_SEGMENTED` where not all have mask files, a random
    sample of so many.

    Raises:
        UserError: an image is missing.
    """
    predictions = run.predictions("test")
    predicted = np.flatnonzero(predictions["predicted"] == label)
    if not len(predicted):
        return None
    images, shuffled = run.table.set_index("path"), np.random.default_rng(0).permutation(predicted)
    for most in (MOST, max(FEWEST, MOST_SEGMENTED // len(run.classes))):
        rows = np.sort(shuffled[:most])
        table = images.loc[predictions["path"].iloc[rows]].reset_index()
        if files := lung_masks.given(table):
            break
    heatmaps = run.heatmaps()[rows, run.classes.index(label)]
    total_image, total_heatmap = np.zeros((SIZE, SIZE, 3)), np.zeros((SIZE, SIZE))
    done, aligned = 0, 0
    for pixels in extract.batches([Path(path) for path in table["path"]], SIZE):
        masks = lung_masks.of(table[done : done + len(pixels)], pixels, files)
        for image, mask in zip(pixels, masks, strict=True):
            heatmap = resize(heatmaps[done], SIZE, SIZE)
            if mask is not None:
                box = image_transforms.box(mask)
                image, heatmap = image_transforms.cut(image, box), image_transforms.cut(heatmap, box)
                aligned += 1
            total_image += image
            total_heatmap += np.clip(heatmap, 0, None) / max(float(heatmap.max()), 1e-12)
            done += 1
    mean_image, mean_heatmap = total_image / done, total_heatmap / done
    return MeanHeatmap(mean_image.astype(np.uint8), mean_heatmap.astype(np.float32), done, aligned, len(predicted))
