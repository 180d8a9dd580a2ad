import numpy as np
import pytest

from cxrcore.errors import UserError
from cxrcore.features import alterations
from cxrcore.features.spec import FeatureSpec
from cxrcore.features.weights import Weights


def test_a_border_keeps_its_pixels_and_blacks_out_the_rest():
    pixels = np.full((2, 6, 6, 3), 9, np.uint8)
    altered = alterations.apply(pixels, alterations.border(2))
    assert altered[0, :, :, 0].tolist() == [
        [9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9],
        [9, 9, 0, 0, 9, 9],
        [9, 9, 0, 0, 9, 9],
        [9, 9, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9],
    ]
    assert (pixels == 9).all(), "the images themselves stay"


def test_nothing_to_do_is_nothing_done():
    pixels = np.zeros((1, 4, 4, 3), np.uint8)
    assert alterations.apply(pixels, "") is pixels


@pytest.mark.parametrize("name", ["border:", "border:x", "mirror:3"])
def test_unknown_alterations_are_named(name):
    with pytest.raises(UserError, match="alteration: expected border:<pixels>"):
        alterations.apply(np.zeros((1, 4, 4, 3), np.uint8), name)


def test_pooled_features_are_the_means_of_the_maps_and_kept_apart():
    whole = FeatureSpec("cxrtiny", "random-1", 64, "unit", "block3b_out")
    pooled = FeatureSpec("cxrtiny", "random-1", 64, "unit", "block3b_out", pooled=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    maps, means = (spec.build(Weights(None, "", 1)).predict(pixels, verbose=0) for spec in (whole, pooled))
    assert means.shape == (2, 1, 1, 64)
    assert means[:, 0, 0] == pytest.approx(maps.mean(axis=(1, 2)), abs=1e-5)
    assert len({whole.key, pooled.key, FeatureSpec(**pooled.__dict__ | {"alteration": "border:3"}).key}) == 3
