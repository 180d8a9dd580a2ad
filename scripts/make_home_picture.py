"""Make the pictures of the Home page: a phantom, and the same with the heatmap of a model trained on phantoms.

    python scripts/make_home_picture.py

It trains the demo (CXRTiny, about 20 seconds) in a temporary workspace, and takes the test image of COVID, correctly
predicted, of whose Grad-CAM most lies in the drawn lesions. No picture is of a person.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from cxrcore.data.classes import COVID
from cxrcore.explain import pointing_game
from cxrcore.explain.overlay import overlay
from cxrcore.ui.home import picture


def main() -> None:
    """Write both pictures into the package."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CXR_HOME"] = folder
        from cxrcore import demo

        run, _ = demo.demo()
        table = run.predictions("test")
        table = table[table["correct"] & (table["label"] == COVID)]
        heatmaps = run.heatmaps()[:, run.classes.index(COVID)]
        masks = pointing_game.read_masks(table["lesions"])
        known = [(number, mask) for number, mask in zip(table.index, masks, strict=True) if mask is not None]
        inside = pointing_game.energy(heatmaps[[number for number, _ in known]], [mask for _, mask in known])
        best = known[int(np.argmax(inside))][0]
        image = Image.open(table["path"][best]).convert("L")
        pixels = np.repeat(np.asarray(image)[..., None], 3, axis=2)
        image.save(picture.PHANTOM, quality=85)
        Image.fromarray(overlay(pixels, heatmaps[best], threshold=0.25)).save(picture.HEATMAP, quality=85)
    for path in (picture.PHANTOM, picture.HEATMAP):
        print(f"{Path(path).name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
