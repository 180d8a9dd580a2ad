"""Image transforms: what each keeps, and in which order."""

import numpy as np
import pytest

from cxrcore.data.phantom.images import PhantomSpec, generate
from cxrcore.errors import UserError
from cxrcore.features import image_transforms
from cxrcore.features.key import FeatureKey
from cxrcore.features.weights import Weights


def test_border_keeps_its_pixels_and_blacks_out_the_rest():
    pixels = np.full((2, 6, 6, 3), 9, np.uint8)
    transformed = image_transforms.apply(pixels, image_transforms.border(2))
    assert transformed[0, :, :, 0].tolist() == [
        [9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9],
        [9, 9, 0, 0, 9, 9],
        [9, 9, 0, 0, 9, 9],
        [9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9],
    ]
    assert (pixels == 9).all(), "the input is unchanged"


def test_no_transform_returns_the_input():
    pixels = np.zeros((1, 4, 4, 3), np.uint8)
    assert image_transforms.apply(pixels, "") is pixels


@pytest.mark.parametrize("name", ["border:", "border:x", "mirror:3", "crop:2", "equalise+mirror"])
def test_unknown_transform(name):
    with pytest.raises(UserError, match="image_transform: expected border:<pixels>"):
        image_transforms.apply(np.zeros((1, 4, 4, 3), np.uint8), name)


MASK = np.zeros((10, 10), bool)
MASK[2:6, 3:8] = True


def test_only_lungs_and_no_lungs_add_up_to_the_image():
    pixels = np.random.default_rng(0).integers(1, 256, (1, 20, 20, 3), dtype=np.uint8)
    only, without = (image_transforms.apply(pixels, name, [MASK])[0] for name in ("only-lungs", "no-lungs"))
    assert (only[4:12, 6:16] == pixels[0, 4:12, 6:16]).all() and only.astype(bool).sum() == 8 * 10 * 3
    assert (only + without == pixels[0]).all(), "together they are the image"


def test_images_with_unknown_lungs_are_unchanged():
    pixels = np.random.default_rng(0).integers(1, 256, (2, 20, 20, 3), dtype=np.uint8)
    for name in ("only-lungs", "no-lungs", "crop"):
        assert (image_transforms.apply(pixels, name, [None, None]) == pixels).all()
        assert (image_transforms.apply(pixels, name) == pixels).all(), "the segmenter finds no lungs in noise"


def test_crop_is_the_box_of_the_lungs_with_a_margin():
    assert image_transforms.box(MASK) == pytest.approx((0.16, 0.64, 0.26, 0.84))
    assert image_transforms.box(np.ones((4, 4), bool)) == (0, 1, 0, 1)
    ramp = np.tile(np.arange(100, dtype=np.uint8)[:, None, None], (1, 100, 3))
    cropped = image_transforms.apply(ramp[None], "crop", [MASK])[0]
    assert cropped.shape == (100, 100, 3) and cropped[0, 0, 0] in (15, 16) and cropped[-1, 0, 0] in (63, 64)


def test_equalised_images_use_the_whole_range_evenly():
    ramp = np.tile((np.arange(256) // 4 + 60).astype(np.uint8)[None, :, None], (256, 1, 3))
    grey = image_transforms.apply(ramp[None], "equalise")[0, 0, :, 0]
    assert grey[0] == 0 and grey[-1] == 255 and np.diff(grey[::4].astype(int)) == pytest.approx(4, abs=1.1)


def test_match_removes_frame_and_exposure():
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(40, 200, (1, 128, 128, 1), dtype=np.uint8), 3, axis=-1)
    framed = pixels.copy()
    framed[:, :6] = framed[:, -6:] = 255
    darker = (pixels * 0.5).astype(np.uint8)
    plain = image_transforms.apply(pixels, "match")[0].astype(int)
    assert (image_transforms.apply(framed, "match")[0] == plain).all()
    assert np.abs(image_transforms.apply(darker, "match")[0] - plain).mean() < 4


def test_markers_are_removed_at_the_edges_alone():
    plain, marked = (generate(PhantomSpec("COVID", 0, 0), 3, planted) for planted in (None, "COVID"))
    images = np.stack([np.repeat(phantom.image[..., None], 3, axis=-1) for phantom in (plain, marked)])
    cleaned = image_transforms.apply(images, "markers")
    token = np.s_[:, 256 - 22 : 256 - 12, 8:24]
    assert images[token][1].mean() > 200 and np.abs(cleaned[token][1].astype(int) - cleaned[token][0]).mean() < 20
    middle = np.s_[:, 80:180, 80:180]
    assert (cleaned[middle] == images[middle]).all()


def test_border_is_masked_before_the_crop():
    """The box of the mask is 16 to 64 of 100 rows and 26 to 84 of 100 columns: a border of 20 shows rows 16 to 20,
    4 of 48, and columns 80 to 84, 4 of 58."""
    white = np.full((1, 100, 100, 3), 255, np.uint8)
    shown = image_transforms.apply(white, "border:20+crop", [MASK])[0, ..., 0] > 127
    assert shown[:8].all() and shown[:, -6:].all() and not shown[10:, :-8].any()


def test_boxes_of_transforms_that_change_the_frame():
    white = np.full((1, 100, 100, 3), 255, np.uint8)
    assert image_transforms.boxes(white, "match") == [(0.08, 0.92, 0.08, 0.92)]
    assert image_transforms.boxes(white, "crop", [MASK]) == [image_transforms.box(MASK)]
    assert image_transforms.boxes(white, "crop", [None]) == [image_transforms.WHOLE]
    assert image_transforms.changes_frame("match") and image_transforms.changes_frame("markers+crop")
    assert not image_transforms.changes_frame("equalise")


def test_transforms_are_applied_in_their_order():
    pixels = np.random.default_rng(0).integers(0, 256, (1, 40, 40, 3), dtype=np.uint8)
    both = image_transforms.apply(pixels, "equalise+border:3")
    assert (both == image_transforms.apply(image_transforms.apply(pixels, "equalise"), "border:3")).all()
    assert not both[0, 3:-3, 3:-3].any()


def test_pooled_features_are_the_means_of_the_maps():
    whole = FeatureKey("cxrtiny", "random-1", 64, "unit", "block3b_out")
    pooled = FeatureKey("cxrtiny", "random-1", 64, "unit", "block3b_out", pooled=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    maps, means = (key.build(Weights(None, "", 1)).predict(pixels, verbose=0) for key in (whole, pooled))
    assert means.shape == (2, 1, 1, 64)
    assert means[:, 0, 0] == pytest.approx(maps.mean(axis=(1, 2)), abs=1e-5)
