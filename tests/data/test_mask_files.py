import json
from functools import partial

import numpy as np
import pytest

from cxrcore.data.archive import File
from cxrcore.data.errors import ImageError
from cxrcore.data.images import load_mask, png
from cxrcore.data.mask_files import MaskWriter


def _file(mask, path=None):
    if path:
        path.write_bytes(png(mask))
    return File(partial(png, mask), "mark", path)


def _half(side, shape=(6, 8)):
    mask = np.zeros(shape, bool)
    if side == "left":
        mask[:, : shape[1] // 2] = True
    else:
        mask[:, shape[1] // 2 :] = True
    return mask


def test_single_file_on_disk_stays_where_it_is(tmp_path):
    file = _file(_half("left"), tmp_path / "m.png")
    writer = MaskWriter(tmp_path / "set", None)
    assert writer.save("lungs", "a" * 64, (8, 6), [file]) == str(tmp_path / "m.png")
    with pytest.raises(ImageError, match="outside the permitted folders"):
        MaskWriter(tmp_path / "set", []).save("lungs", "a" * 64, (8, 6), [file])
    assert writer.save("lungs", "a" * 64, (8, 6), []) == "" and not (tmp_path / "set").exists()


def test_several_files_are_joined(tmp_path):
    """The right half at half the size: 3 x 4 pixels, of which the last two columns are set."""
    files = [_file(_half("left"), tmp_path / "left.png"), _file(_half("right", (3, 4)))]
    path = MaskWriter(tmp_path, None).save("lungs", "b" * 64, (80, 60), files)
    assert path == "lungs/bbbbbbbbbbbbbbbb.png" and load_mask(tmp_path / path).all()


def test_boxes_become_a_mask_of_the_size_of_the_image(tmp_path):
    boxes = json.dumps([["Mass", 1.5, 2, 2, 1.2], ["", -2, 4, 3, 4]])
    path = MaskWriter(tmp_path, None).save("lesions", "c" * 64, (8, 6), [], boxes)
    expected = np.zeros((6, 8), bool)
    expected[2:4, 1:4] = expected[4:, :1] = True
    assert (load_mask(tmp_path / path) == expected).all()


@pytest.mark.parametrize("box", [[50, 50, 3, 3], [-3, 0, 5, 5], [0, 0, 10.5, 2], [0, 0, 2, 8.5]])
def test_boxes_of_an_image_of_another_size_are_refused(tmp_path, box):
    """As of 1024 pixels a side, with a copy of 256: it would be marked in the wrong place."""
    boxes = json.dumps([["", 1, 1, 2, 2], ["", *box]])
    with pytest.raises(ImageError, match="leaves the image of 8 x 6 pixels, which may be a resized copy"):
        MaskWriter(tmp_path, None).save("lesions", "d" * 64, (8, 6), [], boxes)
    assert not any(tmp_path.iterdir())


def test_mask_of_another_shape_is_refused(tmp_path):
    with pytest.raises(ImageError, match="the mask has 8 x 6 pixels, the image 8 x 8"):
        MaskWriter(tmp_path, None).save("lungs", "e" * 64, (8, 8), [_file(_half("left"))])


def test_empty_mask_is_kept_as_empty(tmp_path):
    path = MaskWriter(tmp_path, None).save("lesions", "f" * 64, (8, 6), [_file(np.zeros((6, 8), bool))])
    assert not load_mask(tmp_path / path).any()
