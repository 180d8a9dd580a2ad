"""What the probes of the shortcut audit see of one image, to be shown beside their accuracies."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cxrcore.audits import sample
from cxrcore.audits.shortcut import combined
from cxrcore.data import images
from cxrcore.data.errors import ImageError
from cxrcore.features import image_transforms, lung_masks
from cxrcore.messages import Message, msg
from cxrcore.runs import Run

TRIED = 8  # images of which the first with known lungs is shown
SIDE = 240  # pixels of the longer side


@dataclass(frozen=True)
class MaskedView:
    """A title and the picture that a probe sees, uint8 (H, W, 3), in the proportions of the image file."""

    title: Message
    picture: np.ndarray


def views(run: Run, width: int) -> list[MaskedView]:
    """Return the whole image, its border of `width` pixels, and where they are known the lungs alone and all else.

    They are of one image of the audit's sample, the first of `TRIED` with known lungs, or else the first that can be
    read; [] if none can be. As in the audit, an image is masked before the run's image transform.
    """
    rows, transform = sample.first(sample.ordered(run.table), sample.MOST), run.config.image_transform
    files = lung_masks.given(rows) and not transform
    found: list[MaskedView] = []
    for number in range(min(TRIED, len(rows))):
        row = rows.iloc[number : number + 1].reset_index(drop=True)
        path = Path(row["path"][0])
        try:
            height, width_shown = images.display(path, SIDE).shape[:2]
            pixels = images.load(path, run.config.size)[None]
        except ImageError:
            continue
        lungs = lung_masks.of(row, pixels, files)
        known = lungs[0] is not None
        if known or not found:
            found = []
            for title, mask in _masks(width, known):
                masked = image_transforms.apply(pixels, combined(mask, transform), lungs)[0]
                found.append(MaskedView(title, cv2.resize(masked, (width_shown, height))))
        if known:
            break
    return found


def _masks(width: int, lungs_known: bool) -> list[tuple[Message, str]]:
    """Return the title and the image transform of each view."""
    found = [
        (msg("whole image"), ""),
        (msg("border of {width} px only", width=width), image_transforms.border(width)),
        (msg("lungs only"), "only-lungs"),
        (msg("lungs masked"), "no-lungs"),
    ]
    return found if lungs_known else found[:2]
