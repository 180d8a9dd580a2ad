from pathlib import Path

import numpy as np
import pytest

from cxrcore.data.errors import ImageError
from cxrcore.errors import UserError
from cxrcore.explain import fonts, pointing_game, rendering
from cxrcore.explain.overlay import banner, contour, label_text, overlay, resize, scaled


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
    found = resize(np.full((2, 2), 7.5), 5, 9)
    assert found == pytest.approx(np.full((5, 9), 7.5)) and found.dtype == np.float32


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
    assert pointing_game.hits(np.empty((0, 2, 2)), []).dtype == bool


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


def test_map_is_scaled_to_its_maximum():
    assert scaled(np.array([[0.0, 1.0], [2.0, 4.0]]), 2, 2).tolist() == [[0, 63], [127, 255]]
    assert not scaled(np.zeros((2, 2)), 4, 4).any()


def test_image_is_not_covered_below_the_threshold():
    image, heatmap = np.full((2, 2, 3), 100, np.uint8), np.array([[0.0, 1.9], [2.0, 4.0]])
    found = (overlay(image, heatmap, 0.5, threshold=0.49) != 100).any(axis=-1)
    assert found.tolist() == [[False, False], [True, True]]


def test_contour_is_the_outline_of_what_is_above_the_share():
    """A square of 10 pixels a side at 1, with a wider one of 0.4 around it."""
    image, heatmap = np.full((20, 20, 3), 50, np.uint8), np.zeros((20, 20))
    heatmap[3:17, 3:17] = 0.4
    heatmap[5:15, 5:15] = 1
    inner = np.zeros((20, 20), bool)
    inner[5:15, 5:15], inner[6:14, 6:14] = True, False
    found = contour(image, heatmap, 0.5)
    assert (found[inner] == [255, 214, 0]).all() and (found[~inner] == 50).all() and (image == 50).all()
    assert ((contour(image, heatmap, 0.3) != 50).any(axis=-1)).sum() == 4 * 13
    assert (contour(image, heatmap * 0, 0.5) == 50).all()


def test_contour_is_drawn_around_each_region_and_is_wider_on_a_large_image():
    image, heatmap = np.zeros((750, 750, 3), np.uint8), np.zeros((750, 750))
    heatmap[100:200, 100:200] = heatmap[500:600, 500:600] = 1
    drawn = contour(image, heatmap, 0.5).any(axis=-1)
    assert drawn[150, 100] and drawn[550, 500] and not drawn[150, 150] and not drawn[300, 300]
    assert drawn[90:110, 150].sum() >= 750 / 250
    small = contour(image[:300, :300], heatmap[:300, :300], 0.5).any(axis=-1)
    assert small[90:110, 150].sum() == 1


def test_long_text_is_written_smaller_before_it_loses_its_middle():
    """40 letters n fit into 400 pixels at about 17 pixels each, not at the usual 25; 200 not at the smallest size."""
    image = np.zeros((400, 400, 3), np.uint8)
    first, second = (banner(image, f"{'n' * 20}{letter}{'n' * 19}: 97%") for letter in "ni")
    assert (first != second).any(), "the letter in the middle can be told"
    first, second = (banner(image, f"{'n' * 100}{letter}{'n' * 99}: 97%") for letter in "ni")
    assert (first == second).all()


def test_fonts_have_the_size_that_was_asked_for():
    for text in ("COVID", "Infecção"):
        assert (fonts.font(text, 17).size, fonts.font(text, 31.5).size) == (17, 31.5)
    assert fonts.font("Infecção", 17).getname() == ("Bitstream Vera Sans", "Roman") != fonts.font("COVID", 17).getname()
    assert fonts.file("Infecção") == fonts.file("ç") and fonts.file("a b\n") is None


def test_file_with_most_of_the_letters_is_chosen():
    """Pillow's own font has no letter beyond ASCII, ReportLab's those of Western Europe."""
    fonts.file.cache_clear()
    assert fonts.file("ab: 9") is None and fonts.file("ç").name == "Vera.ttf"
    assert fonts.file("\U0010fffe") is None, "a letter of no font"


def test_missing_letters_are_counted_once_and_without_spaces():
    own = fonts.ImageFont.load_default(20)
    assert [fonts._missing(own, text) for text in ("a b", "ç b", "ççã b", "")] == [0, 1, 2, 0]


def test_overlays_of_files_are_those_of_the_saved_model(trained, tmp_path):
    paths = [Path(path) for path in trained.predictions("test")["path"][:2]]
    kept = dict(rendering.test_images(trained, 0.4))
    drawn = dict(rendering.image_files(trained, [*paths, tmp_path / "gone.png"], 0.4))
    assert list(drawn) == [*paths, tmp_path / "gone.png"]
    assert isinstance(drawn[tmp_path / "gone.png"], ImageError)
    for path in paths:
        assert np.abs(drawn[path].astype(int) - kept[path]).max() <= 2
    other = dict(rendering.image_files(trained, paths[:1], 0.4, "eigen-cam"))
    assert (other[paths[0]] != drawn[paths[0]]).any()
    with pytest.raises(UserError, match="expected one of grad-cam"):
        list(rendering.image_files(trained, paths, 0.4, "none"))
