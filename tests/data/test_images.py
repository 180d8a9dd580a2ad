import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cxrcore.data import images
from cxrcore.data.images import ImageError, Upload


def test_grey_becomes_three_equal_channels(save):
    path = save("a.png", np.array([[0, 100], [200, 255]], np.uint8))
    found = np.asarray(images.open_rgb(path))
    assert found[..., 0].tolist() == [[0, 100], [200, 255]]
    assert (found[..., 0] == found[..., 1]).all() and (found[..., 1] == found[..., 2]).all()


def test_16_bit_values_are_scaled_by_range_not_clipped(save):
    path = save("deep.png", np.array([[1000, 2000], [3000, 4000]], np.uint16))
    assert np.asarray(images.open_rgb(path))[..., 0].tolist() == [[0, 85], [170, 255]]


def test_constant_16_bit_image_is_black(save):
    assert not np.asarray(images.open_rgb(save("flat.png", np.full((2, 2), 9000, np.uint16)))).any()


def test_transparency_is_composed_on_black(save):
    pixels = np.array([[[200, 200, 200, 255], [200, 200, 200, 0], [200, 200, 200, 128]]], np.uint8)
    assert np.asarray(images.open_rgb(save("alpha.png", pixels)))[0, :, 0].tolist() == [200, 0, 100]


def test_exif_orientation_is_applied(tmp_path):
    picture = Image.fromarray(np.array([[10, 250]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    picture.save(tmp_path / "turned.png", exif=exif)
    assert images.open_rgb(tmp_path / "turned.png").size == (1, 2)


def test_load_resizes_like_pillow(save):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).resize((16, 16)))
    assert (images.load(save("b.png", pixels), 16) == expected).all()


def test_grey_and_equal_rgb_channels_give_the_same_pixels(save):
    grey = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)
    one, three = save("one.png", grey), save("three.png", np.repeat(grey[..., None], 3, axis=-1))
    assert images.decode(one.read_bytes()).image.mode == "L"
    for size in (16, 64):
        np.testing.assert_array_equal(images.load(one, size), images.load(three, size))
    np.testing.assert_array_equal(images.display(one, 20), images.display(three, 20))


def _png_header(width, height):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"this is a text file, named .png", "not an image"),
        (_png_header(30_000, 30_000), "at most 40 million"),
        (_png_header(11_000, 11_000), "at most 40 million"),
    ],
)
def test_invalid_content_is_refused_with_reason(content, reason):
    with pytest.raises(ImageError, match=reason):
        images.open_rgb(Upload("x.png", content))


def test_truncated_jpeg_is_refused(save):
    path = save("whole.jpg", np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    with pytest.raises(ImageError, match="truncated"):
        images.open_rgb(Upload("cut.jpg", path.read_bytes()[:-400]))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ImageError, match="missing"):
        images.open_rgb(tmp_path / "nowhere.png")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_files_give_image_or_error(data):
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP"]))
    import io

    buffer = io.BytesIO()
    Image.fromarray(np.arange(24 * 24, dtype=np.uint8).reshape(24, 24)).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert images.open_rgb(Upload("x", bytes(content))).mode == "RGB"
    except ImageError as error:
        assert str(error)


def test_display_keeps_the_aspect_ratio(save):
    assert images.display(save("wide.png", np.zeros((500, 1000), np.uint8)), 640).shape == (320, 640, 3)


def test_16_bit_colour_is_scaled_composed_on_black_and_upright(tmp_path):
    import cv2

    values = np.zeros((2, 3, 4), np.uint16)
    values[..., :3], values[..., 3] = 2000, 65535
    values[0, 0] = (4000, 4000, 4000, 0)  # transparent, so black
    values[1, 2, :3] = 3000
    cv2.imwrite(str(tmp_path / "deep.png"), values)
    expected = np.full((2, 3), round(2000 / 3000 * 255))
    expected[0, 0], expected[1, 2] = 0, 255
    decoded = images.decode((tmp_path / "deep.png").read_bytes())
    assert (np.asarray(decoded.image)[..., 0] == expected).all() and decoded.bits == 16
    turned = Image.open(tmp_path / "deep.png")
    exif = turned.getexif()
    exif[0x0112] = 6
    content = (tmp_path / "deep.png").read_bytes()
    chunk = exif.tobytes().removeprefix(b"Exif\x00\x00")
    import struct
    import zlib

    body = b"eXIf" + chunk
    packed = struct.pack(">I", len(chunk)) + body + struct.pack(">I", zlib.crc32(body))
    content = content[:33] + packed + content[33:]
    assert images.decode(content).image.size == (2, 3)


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_png_is_exact_over_several_bands(channels, monkeypatch):
    """The upper and lower bytes are read apart; each band is scaled by the range of the whole image."""
    import cv2

    monkeypatch.setattr(images, "_BAND_PIXELS", 70)
    values = np.random.default_rng(0).integers(0, 65536, (23, 17, channels), dtype=np.uint16)
    content = cv2.imencode(".png", values[..., [2, 1, 0, 3][:channels]])[1].tobytes()
    colour = values[..., :3].astype(np.float32)
    if channels == 4:
        colour *= values[..., 3:] / np.float32(65535)
    low, high = float(colour.min()), float(colour.max())
    expected = np.round((colour - low) * (255 / (high - low))).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(images.decode(content).image), expected)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16", "F"])
def test_bands_give_the_pixels_of_the_whole_image(mode, monkeypatch, tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (23, 17, 4), dtype=np.uint8)
    pixels = {"RGBA": grey, "LA": grey[..., :2], "I;16": grey[..., 0] * np.uint16(200), "F": grey[..., 0] / 3}[mode]
    path = tmp_path / ("a.tif" if mode == "F" else "a.png")
    Image.fromarray(pixels.astype(np.float32) if mode == "F" else pixels).save(path)
    whole = np.asarray(images.open_rgb(path))
    monkeypatch.setattr(images, "_BAND_PIXELS", 70)
    np.testing.assert_array_equal(np.asarray(images.open_rgb(path)), whole)


def test_file_over_the_size_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_FILE", 100)
    (tmp_path / "large.png").write_bytes(b"x" * 101)
    with pytest.raises(ImageError, match="the file is larger than"):
        images.open_rgb(tmp_path / "large.png")


@pytest.mark.parametrize(
    ("values", "inside"),
    [
        ([0, 1, 2], [False, True, True]),  # labels
        ([0, 85, 170, 255], [False, True, True, True]),
        ([0, 0, 0], [False, False, False]),
        ([0, 3, 252, 255], [False, False, True, True]),  # noise of JPEG
        ([100, 200], [False, True]),
        (list(range(0, 256, 15)), [False] * 9 + [True] * 9),  # a smoothed edge
    ],
)
def test_mask_of_labels_or_of_two_values(values, inside):
    assert images.mask_of(np.array([values], np.uint8)).tolist() == [inside]


def test_transparent_part_of_a_mask_is_outside(tmp_path):
    """White everywhere, opaque on the left: composed on black as at the import."""
    values = np.full((4, 6, 4), 255, np.uint8)
    values[:, 3:, 3] = 0
    Image.fromarray(values).save(tmp_path / "m.png")
    found = images.load_mask(tmp_path / "m.png")
    assert found[:, :3].all() and not found[:, 3:].any()
    assert (found == images.mask_of(images.decode((tmp_path / "m.png").read_bytes()).grey())).all()


def test_mask_that_is_missing_or_damaged_raises_an_image_error(tmp_path):
    with pytest.raises(ImageError, match="the file is missing"):
        images.load_mask(tmp_path / "gone.png")
    assert images.known_mask(str(tmp_path / "gone.png")) is None is images.known_mask("")
    (tmp_path / "m.png").write_bytes(b"no image")
    assert images.known_mask(str(tmp_path / "m.png")) is None
    (tmp_path / "empty.png").write_bytes(images.png(np.zeros((2, 2), bool)))
    assert images.known_mask(str(tmp_path / "empty.png")) is None
    with pytest.raises(ImageError, match="not an image"):
        images.load_mask(tmp_path / "m.png")
