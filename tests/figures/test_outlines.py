import numpy as np
import pytest

from cxrcore.data.errors import ImageError
from cxrcore.data.images import png
from cxrcore.figures import outlines
from cxrcore.figures.outlines import Masks


def test_outline_surrounds_the_mask_at_any_size(tmp_path):
    """The left half of 20 x 10 pixels, on a picture of twice the size: its outline ends at column 19."""
    mask = np.zeros((10, 20), bool)
    mask[:, :10] = True
    (tmp_path / "m.png").write_bytes(png(mask))
    picture = np.zeros((20, 40, 3), np.uint8)
    drawn = outlines.draw(picture, Masks(lungs=str(tmp_path / "m.png")))
    assert (drawn[:, 0] == outlines.LUNGS).all() and (drawn[:, 19] == outlines.LUNGS).all()
    assert not drawn[2:-2, 3:17].any() and not drawn[:, 22:].any() and not picture.any()
    assert (outlines.draw(picture, Masks(lesions=str(tmp_path / "m.png")))[:, 19] == outlines.LESIONS).all()
    assert (outlines.draw(picture, Masks()) == picture).all()


def test_missing_mask_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"the mask gone\.png cannot be read: the file is missing"):
        outlines.draw(np.zeros((4, 4, 3), np.uint8), Masks(str(tmp_path / "gone.png")))
