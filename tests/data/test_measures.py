"""Statistics of single images: what they may and may not depend on, and limits on the files of a folder."""

import cv2
import numpy as np
import pytest
from PIL import Image

from cxrcore.data import archive, file_tree
from cxrcore.data.image_statistics import measure, packed
from cxrcore.data.images import Upload, decode, png
from cxrcore.errors import UserError


def radiograph(side):
    """A smooth grey picture with a word in a corner: uint8 (side, side)."""
    field = np.random.default_rng(3).integers(40, 160, (12, 12)).astype(np.uint8)
    pixels = cv2.resize(field, (1536, 1536), interpolation=cv2.INTER_CUBIC)
    cv2.putText(pixels, "WARD 7", (60, 120), cv2.FONT_HERSHEY_SIMPLEX, 2.4, 255, 5)
    return cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)


def test_grey_image_in_three_channels_measures_the_same():
    grey = Image.fromarray(radiograph(300))
    assert measure(grey) == measure(grey.convert("RGB"))


@pytest.mark.parametrize("row", [0, 1], ids=["row hashed whole", "row in the checksum alone"])
def test_pixel_hash_changes_with_one_pixel(row):
    pixels = radiograph(64)
    changed = pixels.copy()
    changed[row, 5] ^= 1
    transposed = np.zeros((32, 128), np.uint8)
    hashes = [measure(Image.fromarray(one))["pixels"] for one in (pixels, changed, transposed, transposed.T)]
    assert len(set(hashes)) == 4 and measure(decode(png(pixels)).image)["pixels"] == hashes[0]


def test_measures_hardly_depend_on_the_size():
    """1,536 pixels are halved, 700 are not; the averages differ by less than a grey value."""
    large, small = (measure(Image.fromarray(radiograph(side))) for side in (1536, 700))
    distances = np.unpackbits(packed([large["hashes"]])[0] ^ packed([small["hashes"]])[0], axis=1).sum(axis=1)
    assert distances.max() <= 6 and large["letters"] == small["letters"] == 5
    assert large["mean"] == pytest.approx(small["mean"], abs=1) and large["upright"] == pytest.approx(
        small["upright"], abs=0.01
    )


@pytest.mark.parametrize("shape", [(1, 5000), (3000, 1), (1, 1), (1023, 1025)])
def test_images_of_any_shape_are_measured(shape):
    found = measure(Image.fromarray(np.full(shape, 90, np.uint8)))
    assert found["mean"] == 90 and found["aspect"] == shape[1] / shape[0]


def test_colour_is_the_mean_difference_between_channels():
    pixels = np.zeros((100, 80, 3), np.uint8)
    pixels[:50] = (30, 10, 20)  # a difference of 20 in half of the image
    assert measure(Image.fromarray(pixels))["chroma"] == 10


def test_half_transparent_pixels_are_composed_on_black():
    """200 x 128 / 255 = 100.4, 255 x 128 / 255 = 128."""
    picture = Image.new("RGBA", (40, 30), (200, 255, 0, 128))
    picture.putpixel((0, 0), (7, 8, 9, 255))
    found = decode(png(np.asarray(picture))).image
    assert found.mode == "RGB" and found.getpixel((5, 5)) == (100, 128, 0) and found.getpixel((0, 0)) == (7, 8, 9)


def test_folder_may_hold_more_files_than_an_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILES_ON_DISK", 3)
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    assert len(file_tree.open_file_tree(tmp_path).files) == 3
    (tmp_path / "3.png").write_bytes(b"x")
    with pytest.raises(UserError, match="holds over 3 files"):
        file_tree.open_file_tree(tmp_path)
    assert len(file_tree.of_uploads([Upload(f"{number}.png", b"x") for number in range(4)]).files) == 4
