"""One image file to uint8 RGB pixels, or an `ImageError` with the reason."""

import io
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFile, ImageOps, TiffImagePlugin, UnidentifiedImageError

from cxrcore.data import dicom, image_parts
from cxrcore.data.errors import AT_MOST, MAX_BYTES, ImageError, check_size
from cxrcore.data.memory import MemoryBudget
from cxrcore.data.roots import open_within

SUFFIXES = {".png", ".jpg", ".jpeg", ".jfif", ".tif", ".tiff", ".webp", ".bmp"}
# Others, such as EPS, would hand an untrusted file to further programs.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_ORIENTATION = 0x0112  # of EXIF
_WIDE_MODES = {"I": 32, "F": 32, "I;16": 16, "I;16B": 16, "I;16L": 16, "I;16N": 16}
_BAND_PIXELS = 250_000
_BANDS_BYTES = 20_000_000  # of the arrays that are made of one band, and of a decoder's buffers
_LABELS = 8  # values of a mask, with the background
MAX_FILE = 256 * 2**20  # bytes of one image file; 40 million pixels of 16 bits have 80 MB

Rows = Callable[[int, int], np.ndarray]  # the values of the rows from one number to another

_budget = MemoryBudget()
# Images of which only one fits into the budget are decoded by one thread: the C library keeps memory that a thread has
# freed for the same thread.
_LARGE = MAX_BYTES // 2
_large_images = ThreadPoolExecutor(1)
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `check_size` refuses less


@dataclass(frozen=True)
class Upload:
    """An image held in memory: its name and the bytes of its file."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Decoded:
    """An opened image: upright, 8 bits a channel, of mode L where the file holds one grey channel, else RGB.

    `format` and `bits` (of a channel) are those of the file, `facts` those of a DICOM header.
    """

    image: Image.Image
    format: str
    bits: int
    facts: dicom.Facts = dicom.NOTHING_KNOWN

    def grey(self) -> np.ndarray:
        """Return uint8 (H, W)."""
        return np.asarray(self.image.convert("L"))


@contextmanager
def opened(content: bytes) -> Iterator[Decoded]:
    """Yield the image in the bytes of a file; its share of the memory budget is held until the block ends.

    More than 8 bits a channel are scaled by the range found in the image, not clipped; transparency is composed on
    black; the EXIF orientation is applied; DICOM goes through its lookup tables (see `dicom`).

    Raises:
        ImageError: not an image, cut off, not a grey radiograph (DICOM), or too large.
    """
    if not content:
        raise ImageError("the file is empty (0 bytes)")
    decode = _decode_dicom if dicom.is_dicom(content) else _decode_picture
    with ExitStack() as stack:
        with _image_errors():
            needed = dicom.memory_needed(content) if decode is _decode_dicom else _memory_needed(content)
            stack.enter_context(_budget.reserve(needed))
            decoded = _large_images.submit(decode, content).result() if needed > _LARGE else decode(content)
        yield decoded


def decode(content: bytes) -> Decoded:
    """Return the image in the bytes of a file, see `opened`."""
    with opened(content) as decoded:
        return decoded


@contextmanager
def _image_errors() -> Iterator[None]:
    """Turn what a decoder raises into an `ImageError`."""
    try:
        yield
    except Image.DecompressionBombError as error:
        raise ImageError("the image claims over 178 million pixels; {at_most}", at_most=AT_MOST) from error
    except UnidentifiedImageError as error:
        raise ImageError("the file is not an image, despite its name") from error
    except ImageError:
        raise
    except Exception as error:  # decoders raise errors of any type on damaged files
        raise ImageError("the image is truncated or damaged ({error})", error=error) from error


def _decode_dicom(content: bytes) -> Decoded:
    grey, bits, facts = dicom.decode(content)
    return Decoded(grey, "DICOM", bits, facts)


def _decode_picture(content: bytes) -> Decoded:
    image: Image.Image = _lazy(content)
    bits, name = _bits(image), str(image.format)
    if bits == 16 and image.mode not in _WIDE_MODES:
        image = _deep_colour(image, content)
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    return Decoded(_eight_bits(image), name, bits)


def _lazy(content: bytes) -> ImageFile.ImageFile:
    """Return an image whose pixels are not decoded yet."""
    return Image.open(io.BytesIO(content), formats=_FORMATS)


def open_rgb(source: Path | Upload) -> Image.Image:
    """Return the image as 8-bit RGB, upright. Raises `ImageError`."""
    return _open(source).convert("RGB")


def pixels(image: Image.Image, size: int) -> np.ndarray:
    """Return uint8 (size, size, 3), resized by Pillow's bicubic filter as in the tutorials.

    A grey image is resized once, not in three equal channels.
    """
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC).convert("RGB"))


def load(source: Path | Upload, size: int) -> np.ndarray:
    """Return the pixels of an image file: uint8 (size, size, 3). Raises `ImageError`."""
    return pixels(_open(source), size)


def display(source: Path | Upload, longest: int = 640) -> np.ndarray:
    """Return uint8 (H, W, 3) to be displayed: undistorted, at most `longest` pixels a side."""
    return reduced(_open(source), longest)


def reduced(image: Image.Image, longest: int = 640) -> np.ndarray:
    """Make an image smaller, in place, and return it as `display` does."""
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(image.convert("RGB"))


def load_mask(path: Path) -> np.ndarray:
    """Return a mask file as boolean (H, W), see `mask_of`. Raises `ImageError`."""
    return mask_of(decode(read(path)).grey())


def known_mask(path: str) -> np.ndarray | None:
    """Return a mask file as `load_mask` does; None if there is none, or it is missing, damaged or empty."""
    try:
        mask = load_mask(Path(path))
    except ImageError:
        return None
    return mask if mask.any() else None


def mask_of(values: np.ndarray) -> np.ndarray:
    """Return where a mask of grey values, uint8 (H, W), marks something, boolean (H, W).

    A mask of at most `_LABELS` values, of which 0 is one and the others are not close to it, holds labels, as 1 for
    the left and 2 for the right lung: it marks all others. Else it marks the values above half of the largest, as
    edges may be smoothed and JPEG adds noise to both sides.
    """
    found = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
    has_labels = 1 < len(found) <= _LABELS and found[0] == 0 and found[1] > found[-1] / 10
    inside: np.ndarray = values > (0 if has_labels else found[-1] / 2)
    return inside


def png(picture: np.ndarray) -> bytes:
    """Return uint8 (H, W) or (H, W, 3), or boolean (H, W), as the bytes of a PNG file, lightly compressed."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def read(path: Path, roots: Sequence[Path] | None = None) -> bytes:
    """Return the bytes of a regular file that lies in one of `roots`, None for anywhere.

    Raises:
        ImageError: also for a file over `MAX_FILE`.
    """
    try:
        with open_within(roots, path) as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(size) if size <= MAX_FILE else b""
        if size > MAX_FILE:
            raise ImageError("the file is larger than {most} MB", most=MAX_FILE // 2**20)
        return content
    except FileNotFoundError as error:
        raise ImageError("the file is missing", kind="missing") from error
    except PermissionError as error:
        if error.errno is None:
            raise ImageError("the file lies outside the permitted folders (CXR_DATA_ROOTS)", kind="outside") from error
        raise ImageError("the file cannot be read ({reason})", reason=error.strerror) from error
    except OSError as error:
        raise ImageError("the file cannot be read ({reason})", reason=error.strerror) from error


def _open(source: Path | Upload) -> Image.Image:
    return decode(source.content if isinstance(source, Upload) else read(source)).image


def _bits(image: Image.Image) -> int:
    """Return the bits of a channel in the file; Pillow opens 16-bit colour as 8 bits."""
    if image.mode in _WIDE_MODES:
        return _WIDE_MODES[image.mode]
    tiles = getattr(image, "tile", [])
    raw = str(tiles[0].args) if tiles else ""
    return 16 if ";16" in raw else 1 if image.mode == "1" else 8


def _memory_needed(content: bytes) -> int:
    """Return how many bytes opening takes at most, by pixel: the decoded channels, and copies of 8 bits.

    Pillow holds four bytes for a pixel of several channels, one or two for grey. `tests/data/test_memory_of_formats.py`
    compares it with what a process takes.
    """
    image_parts.check(content)
    image = _lazy(content)
    check_size(image.width, image.height)
    channels = len(image.getbands())
    if _bits(image) == 16 and image.mode not in _WIDE_MODES:
        # Two halves and the result of 3 bytes; or OpenCV's array, twice, as it holds rows of the file beside it.
        needed = 11 if _has_16_bit_halves(image) else 4 * channels
    elif image.format == "JPEG":
        needed = max(8, 2 * channels + 4)  # the coefficients of all channels, if it is progressive
    else:
        needed = 17 if image.format == "WEBP" else 8  # its decoder holds four pictures; others are copied once
    return (image.width * image.height + _tile_pixels(image)) * needed + _BANDS_BYTES


def _tile_pixels(image: ImageFile.ImageFile) -> int:
    """Return the pixels of a tile of a TIFF, which is unpacked as a whole and may claim to be larger than the image."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or TiffImagePlugin.TILEWIDTH not in image.tag_v2:
        return 0
    width, height = (int(image.tag_v2[tag]) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH))
    check_size(width, height)
    return width * height


def _deep_colour(image: Image.Image, content: bytes) -> Image.Image:
    """Return 16-bit colour scaled by its range, on black; Pillow would cut it to the upper 8 bits."""
    picture = Image.fromarray(_scaled_colour(image, content))
    picture.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return picture


def _scaled_colour(image: Image.Image, content: bytes) -> np.ndarray:
    rows = _rows_of_halves(image.mode, content) if _has_16_bit_halves(image) else _rows_by_opencv(content)
    return _scaled(rows, image.height, (image.width, 3))


def _has_16_bit_halves(image: Image.Image) -> bool:
    return image.format == "PNG" and image.mode in ("RGB", "RGBA") and "transparency" not in image.info


def _rows_of_halves(mode: str, content: bytes) -> Rows:
    """Return the rows of a 16-bit PNG, read as two 8-bit images: the upper bytes and the lower bytes.

    OpenCV would need more than twice the memory.
    """
    upper, lower = _lazy(content), _lazy(content)
    lower.tile = [tile._replace(args=f"{mode};16L") for tile in lower.tile]

    def rows(top: int, bottom: int) -> np.ndarray:
        box = (0, top, upper.width, bottom)
        high, low = (np.asarray(half.crop(box)).astype(np.uint16) for half in (upper, lower))
        return _on_black(high * 256 + low)

    return rows


def _rows_by_opencv(content: bytes) -> Rows:
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if values is None or values.ndim != 3:
        raise ImageError("the image is truncated or damaged")
    order = [2, 1, 0, 3][: values.shape[2]]  # BGR to RGB
    return lambda top, bottom: _on_black(values[top:bottom, :, order])


def _on_black(values: np.ndarray) -> np.ndarray:
    """Return float32 (H, W, 3) of uint16 (H, W, 3 or 4), composed on black."""
    colour: np.ndarray = values[..., :3].astype(np.float32)
    if values.shape[2] == 4:
        colour *= values[..., 3:] / np.float32(65535)
    return colour


def _eight_bits(image: Image.Image) -> Image.Image:
    width, height = image.size
    if image.mode in _WIDE_MODES:
        return Image.fromarray(
            _scaled(lambda top, bottom: np.asarray(image.crop((0, top, width, bottom))), height, (width,))
        )
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        picture = Image.new("RGB", image.size)
        for top, bottom in bands(height, width):
            band = image.crop((0, top, width, bottom)).convert("RGBA")
            picture.paste(band, (0, top), band)  # a new picture is black
        return picture
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def bands(height: int, width: int) -> list[tuple[int, int]]:
    """Return the first row and the row after the last of the bands in which large pictures are worked on."""
    step = max(1, _BAND_PIXELS // width)
    return [(top, min(top + step, height)) for top in range(0, height, step)]


def _scaled(rows: Rows, height: int, row_shape: tuple[int, ...]) -> np.ndarray:
    """Return uint8 (height, *row_shape): the smallest value of an image becomes 0, the largest 255.

    Values that are not finite count as 0.
    """

    @lru_cache(maxsize=1)  # an image of one band is converted once
    def finite(top: int, bottom: int) -> np.ndarray:
        values = rows(top, bottom).astype(np.float32)
        return np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)

    places = bands(height, row_shape[0])
    ranges = [(float(finite(*place).min()), float(finite(*place).max())) for place in places]
    low, high = min(least for least, _ in ranges), max(most for _, most in ranges)
    scale = 255 / (high - low) if high > low else 0.0
    result = np.empty((height, *row_shape), np.uint8)
    for top, bottom in places:
        result[top:bottom] = np.round((finite(top, bottom) - low) * scale)
    return result
