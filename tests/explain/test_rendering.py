import numpy as np
import pytest

from cxrcore.data.errors import ImageError
from cxrcore.explain import fonts, pointing_game, rendering
from cxrcore.explain.overlay import banner, label_text, overlay, resize


def test_opacity_goes_from_the_image_to_the_map():
    image = np.full((8, 8, 3), 100, np.uint8)
    heatmap = np.zeros((2, 2), np.float32)
    assert (overlay(image, heatmap, 0.0) == image).all()
    dark = overlay(image, heatmap, 1.0)
    assert (dark == dark[0, 0]).all() and (dark != 100).any()


def test_brightest_pixel_is_the_peak_of_the_map():
    image = np.zeros((40, 60, 3), np.uint8)
    heatmap = np.zeros((4, 6), np.float32)
    heatmap[3, 1] = 0.01  # scaled to its own maximum
    found = overlay(image, heatmap, 1.0, "viridis").astype(int)
    yellow = np.abs(found - [253, 231, 37]).sum(axis=-1)
    row, column = np.unravel_index(yellow.argmin(), yellow.shape)
    assert 30 <= row < 40 and 10 <= column < 20 and yellow.min() < 6


def test_resizing_keeps_values():
    assert resize(np.full((2, 2), 7.5), 5, 9) == pytest.approx(np.full((5, 9), 7.5))


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.973, "COVID: 97%"), (1.0, "COVID: >99%"), (0.9951, "COVID: >99%"), (0.5, "COVID: 50%")],
)
def test_banner_text(probability, text):
    assert label_text("COVID", probability) == text


def test_banner_is_above_the_unchanged_image():
    image = np.random.default_rng(0).integers(0, 256, (100, 80, 3), dtype=np.uint8)
    found = banner(image, "COVID: 97%")
    assert found.shape == (120, 80, 3) and (found[20:] == image).all() and found[:20].max() == 255


def test_pointing_game_by_hand():
    mask = np.zeros((16, 16), bool)
    mask[0:8, 8:16] = True
    inside, outside = np.zeros((2, 2)), np.zeros((2, 2))
    inside[0, 1], outside[1, 0] = 3, 1
    found = pointing_game.hits(np.stack([inside, outside, np.zeros((2, 2))]), [mask] * 3)
    assert found.tolist() == [True, False, False]


def test_overlays_of_all_test_images(trained):
    drawn = list(rendering.test_images(trained, 0.5))
    assert len(drawn) == 12
    assert all(picture.shape == (256 + 25, 256, 3) for _, picture in drawn)


def test_missing_image_does_not_stop_the_others(trained):
    table = trained.predictions("test")
    table.loc[0, "path"] = "/nowhere/gone.png"
    trained.write_table("predictions.parquet", table)
    drawn = [picture for _, picture in rendering.test_images(trained, 0.5)]
    assert isinstance(drawn[0], ImageError) and "missing" in str(drawn[0])
    assert all(isinstance(picture, np.ndarray) for picture in drawn[1:])


@pytest.mark.parametrize("name", ["a" * 60, "التهاب رئوي " * 5, "🫁", "Infecção", "W" * 60])
def test_banner_keeps_its_size_and_ends_with_the_probability(name):
    image = np.zeros((100, 160, 3), np.uint8)
    found = banner(image, label_text(name, 0.97))
    assert found.shape == (120, 160, 3) and found[:20].max() > 200
    assert not (found[:20, -3:] > 100).any()  # the text ends before the picture does


def test_letters_beyond_ascii_have_a_font():
    assert fonts.file("COVID") is None
    assert fonts.file("Infecção: 97%") is not None
