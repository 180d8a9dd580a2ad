"""The agreement of heatmaps with drawn lesions, and of the two baselines, by hand."""

import numpy as np
import pytest

from cxrcore.explain import localisation, pointing_game
from cxrcore.explain.lesion_checks import MarkedImages
from cxrcore.explain.pointing_game import near


def _mask(height, width, top, bottom, left, right):
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


LESION = _mask(100, 100, 40, 60, 0, 20)  # 400 pixels
LUNGS = _mask(100, 100, 20, 80, 0, 40) | _mask(100, 100, 20, 80, 60, 100)  # two of 2400 pixels


def test_scores_of_the_lesion_itself_are_perfect():
    found = localisation.scores(LESION[None].astype(np.float32), [LESION])
    assert found.pointing == [1] and found.energy == [1] and found.auprc == [1]
    assert found.ious.shape == (1, 19) and (found.ious == 1).all()


def test_scores_of_the_other_half():
    """A map that is 2 in the lesion and 1 in 1200 pixels elsewhere, in a frame of 10,000."""
    heat = LESION * 2.0 + _mask(100, 100, 0, 30, 50, 90)
    found = localisation.scores(heat[None].astype(np.float32), [LESION])
    assert found.energy == pytest.approx([800 / 2000])
    assert found.auprc == pytest.approx([1.0])
    # Up to half of the maximum both parts count, above it only the lesion.
    assert found.ious[0, 9] == pytest.approx(400 / 1600) and found.ious[0, 10] == 1
    away = localisation.scores((heat > 0)[None].astype(np.float32), [LESION])
    assert away.auprc == pytest.approx([400 / 1600])


def test_peak_may_miss_by_three_percent_of_the_longer_side():
    assert near(LESION, 0.03)[50, [19, 22, 23]].tolist() == [True, True, False]
    for column, hit in ((22, 1), (23, 0)):
        heat = np.zeros((1, 100, 100), np.float32)
        heat[0, 50, column] = 1
        assert localisation.scores(heat, [LESION]).pointing == [hit]


def test_empty_heatmap_misses_and_has_no_other_score():
    found = localisation.scores(np.zeros((1, 4, 4), np.float32), [LESION])
    assert found.pointing == [0]
    assert np.isnan(found.energy).all() and np.isnan(found.auprc).all() and np.isnan(found.ious).all()


def test_random_point_in_the_lungs():
    found = localisation.random_point([LUNGS], [LESION])
    assert found.pointing == pytest.approx([near(LESION, 0.03)[LUNGS].mean()])
    assert found.pointing == pytest.approx([(26 * 23 - 2 * 5) / 4800])  # but for two rounded corners
    assert found.energy == pytest.approx([400 / 4800]) == found.auprc
    assert found.ious == pytest.approx(np.full((1, 19), 400 / 4800))
    small = localisation.random_point([LUNGS[::2, ::2]], [LESION])  # lungs of another size
    assert small.energy == pytest.approx(found.energy)


def test_centres_of_the_lungs():
    """The centres are at (49.5, 19.5) and (49.5, 79.5): the first is at the edge of the lesion."""
    found = localisation.lung_centres([LUNGS], [LESION])
    assert found.pointing == [0.5]
    # Half of the first lung's density, within the middle 20 of its rows, of standard deviation 17.3 / 2.
    assert found.energy == pytest.approx([0.25 * 0.752], abs=0.01)
    joined = LUNGS | _mask(100, 100, 20, 22, 40, 60)  # lungs that touch are divided in the middle
    assert localisation.lung_centres([joined], [LESION]).pointing == [0.5]


def test_threshold_is_chosen_on_other_images():
    heat = (LESION * 2.0 + _mask(100, 100, 0, 30, 50, 90))[None].astype(np.float32)
    images = MarkedImages(np.array([0, 1]), np.array(["a", "b"]), [LESION, LESION], [LUNGS, None])
    maps = np.concatenate([heat, heat * 0 + 1])
    other = MarkedImages(np.array([0]), np.array(["c"]), [heat[0] > 0], [None])
    found = images.check(maps, other, heat)
    assert found.threshold == pytest.approx(0.05)  # on the other image the whole map is the lesion
    assert found.iou.value == pytest.approx((400 / 1600 + 400 / 10000) / 2) and found.iou.n == 2
    assert images.check(maps, None, None).iou is None
    assert images.over_chance(maps).n == 1  # the lungs of the second are not known
    assert images.check_baseline(localisation.random_point, None).energy.value == pytest.approx(400 / 4800)


def test_hits_in_every_image_have_an_interval_over_patients():
    images = MarkedImages(np.array([0, 0, 0]), np.array(["a", "a", "b"]), [LESION] * 3, [None] * 3)
    pointing = images.check(LESION[None].astype(np.float32), None, None).pointing
    assert (pointing.value, pointing.n) == (1, 3)
    assert pointing.low == pytest.approx(0.3424, abs=1e-4)  # Wilson's for 2 of 2


def test_no_lesions_no_checks():
    none = MarkedImages(np.array([], int), np.array([]), [], [])
    assert none.check(np.zeros((1, 4, 4)), None, None) is None
    assert none.check_baseline(localisation.lung_centres, None) is None


def test_large_masks_are_compared_at_224_pixels_a_side():
    """Squares of 4 x 4 pixels become one: those of which at least half is marked, as 12 around the middle and 9, but
    not 5.
    """
    lesion = np.zeros((896, 896), bool)
    lesion[400:404, 400:404] = True
    lesion[401:403, 401:403] = False
    lesion[800:803, 40:43] = True
    lesion[40:45, 603] = True  # 4 of a square's 16 and 1 of the next
    heat = np.zeros((1, 224, 224), np.float32)
    heat[0, 100, 100] = heat[0, 200, 10] = 1
    found = localisation.scores(heat, [lesion])
    assert found.auprc == [1] and (found.ious == 1).all()


def test_largest_part_of_a_small_lesion_remains():
    """5 of the 16 pixels that become one: less than half, but else there would be no lesion."""
    lesion = np.zeros((896, 896), bool)
    lesion[400:401, 400:404] = lesion[401, 400] = True
    heat = np.zeros((1, 224, 224), np.float32)
    heat[0, 100, 100] = 1
    assert localisation.scores(heat, [lesion]).auprc == [1]


def test_baseline_has_a_threshold_from_other_images_with_lungs():
    """A map that is even over the lungs is the same above every threshold: the first is chosen."""
    images = MarkedImages(np.array([0, 1, 2]), np.array(["a", "b", "c"]), [LESION] * 3, [None, LUNGS, LESION])
    others = MarkedImages(np.array([0]), np.array(["d"]), [LESION], [LUNGS])
    found = images.check_baseline(localisation.random_point, others)
    assert found.threshold == pytest.approx(0.05)
    assert found.iou.value == pytest.approx((400 / 4800 + 1) / 2) and found.iou.n == 2
    assert found.energy.value == pytest.approx((400 / 4800 + 1) / 2) and found.energy.n == 2
    without = images.check_baseline(localisation.random_point, None)
    assert (without.iou, without.threshold, without.energy) == (None, None, found.energy)


def test_threshold_has_the_best_mean_on_the_other_images():
    """Above half of the maximum the map is the lesion."""
    heat = (LESION * 2.0 + _mask(100, 100, 0, 30, 50, 90))[None].astype(np.float32)
    images = MarkedImages(np.array([0]), np.array(["a"]), [LESION], [None])
    found = images.check(heat, images, heat)
    assert found.threshold == pytest.approx(0.55) and found.iou.value == 1
    unknown = images.check(heat, images, heat * 0)
    assert (unknown.iou, unknown.threshold) == (None, None)


def test_peak_near_a_lesion_counts_over_chance():
    """Of three images two have known lungs: a peak 3 pixels beside the lesion, and one far away."""
    maps = np.zeros((3, 100, 100), np.float32)
    maps[0, 50, 22] = maps[1, 50, 22] = maps[2, 90, 90] = 1
    images = MarkedImages(np.array([0, 1, 2]), np.array(["a", "b", "c"]), [LESION] * 3, [None, LUNGS, LUNGS])
    chance = (26 * 23 - 2 * 5) / 4800
    found = images.over_chance(maps)
    assert found.value == pytest.approx(0.5 - chance) and found.n == 2
    assert (found.low, found.high) == (pytest.approx(-chance), pytest.approx(1 - chance))


def test_share_of_hits_is_rounded_to_patients():
    """Two patients of whom all three images are missed: Wilson's interval for 0 of 2."""
    images = MarkedImages(np.array([0, 0, 0]), np.array(["a", "a", "b"]), [LESION] * 3, [None] * 3)
    pointing = images.check((~LESION)[None].astype(np.float32), None, None).pointing
    assert (pointing.value, pointing.low, pointing.n) == (0, 0, 3) and pointing.high == pytest.approx(0.6576, abs=1e-4)


def test_a_heatmap_without_a_lesion_is_an_error():
    heat = np.ones((2, 4, 4), np.float32)
    for function in (pointing_game.hits, pointing_game.energy, localisation.scores):
        with pytest.raises(ValueError, match="zip"):
            function(heat, [LESION])
    images = MarkedImages(np.array([0, 0]), np.array(["a", "b"]), [LESION] * 2, [LUNGS])
    with pytest.raises(ValueError, match="zip"):
        images.check_baseline(localisation.random_point, None)


def test_nothing_is_near_an_empty_mask():
    empty = np.zeros((4, 4), bool)
    assert not near(empty, 0.5).any() and (near(LESION, 0) == LESION).all()


def test_small_part_is_no_lung_of_its_own():
    """Lungs that touch and a pixel below them: divided in the middle, with one centre at the edge of the lesion."""
    joined = LUNGS | _mask(100, 100, 20, 22, 40, 60) | _mask(100, 100, 95, 96, 50, 51)
    assert localisation.lung_centres([joined], [LESION]).pointing == [0.5]
    assert localisation.lung_centres([np.fliplr(joined)], [np.fliplr(LESION)]).pointing == [0.5]
