import numpy as np
import pandas as pd

from cxrcore.data.images import png
from cxrcore.data.phantom.images import PhantomSpec, generate
from cxrcore.features import lung_masks


def test_drawn_lungs_come_before_segmented_ones(tmp_path):
    drawn = np.zeros((10, 10), bool)
    drawn[:5] = True
    (tmp_path / "m.png").write_bytes(png(drawn))
    table = pd.DataFrame({"lungs": ["", str(tmp_path / "m.png"), ""]})
    pixels = np.stack([generate(PhantomSpec("NORMAL", k, 0), 5).image for k in range(3)])
    pixels = np.repeat(pixels[..., None], 3, axis=-1)
    pixels[2] = 0  # no lungs can be found
    masks, origin = lung_masks.drawn_first(table, pixels)
    assert masks[0] is not None and masks[0].any()
    assert (masks[1] == drawn).all() and masks[2] is None
    assert str(origin) == "mask files of 1 images, the segmenter for 1 more"
    assert str(lung_masks.drawn_first(table.iloc[[1]], pixels[[1]])[1]) == "mask files, of 1 of 1 images"
    gone = pd.DataFrame({"lungs": [str(tmp_path / "gone.png"), str(tmp_path / "m.png")]})
    masks, origin = lung_masks.drawn_first(gone, pixels[:2])
    assert not lung_masks.given(gone) and lung_masks.given(gone.iloc[[1]]) and masks[0] is not None
    assert str(origin) == "mask files of 1 images, the segmenter for 1 more"
    assert lung_masks.of(gone, pixels[:2], files=True)[0] is None
    assert "1 of 2 images" in str(lung_masks.drawn_first(table.iloc[[0, 2]], pixels[[0, 2]])[1])
