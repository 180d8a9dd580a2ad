"""One image file to uint8 RGB pixels, or a sentence that says why not."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cxrcore.data import dicom
from cxrcore.data.errors import AT_MOST, ImageError, check_size

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}
# Others, such as EPS, would hand a stranger's file to further programs.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_ORIENTATION = 0x0112  # of EXIF
_WIDE_MODES = {"I": 32, "F": 32, "I;16": 16, "I;16B": 16, "I;16L": 16, "I;16N": 16}

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `check_size` refuses less


@dataclass(frozen=True)
class Upload:
    """An image held in memory: its name and the bytes of its file."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Decoded:
    """An opened image: upright, 8 bits a channel, of mode L where the file holds grey alone, else RGB; the format and
    bits a channel of its file; what its header told.
    """

    image: Image.Image
    format: str
    bits: int
    facts: dicom.Facts = dicom.NOTHING_KNOWN

    def grey(self) -> np.ndarray:
        """Return uint8 (H, W)."""
        return np.asarray(self.image.convert("L"))


def decode(content: bytes) -> Decoded:
    """Return the image in the bytes of a file.

    More than 8 bits a pixel are scaled by the range found in the image, not clipped; transparency is
    composed on black; the EXIF orientation is obeyed; DICOM goes through its lookup tables (see `dicom`).

    Raises:
        ImageError: no image, cut off, of another kind than a grey radiograph (DICOM), or too large.
    """
    if not content:
        raise ImageError("the file is empty (0 bytes)")
    if dicom.is_dicom(content):
        grey, bits, facts = dicom.decode(content)
        return Decoded(grey, "DICOM", bits, facts)
    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
        check_size(image.width, image.height)
        bits = _bits(image)
        picture = _deep_colour(image, content) if bits == 16 and image.mode not in _WIDE_MODES else image
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        return Decoded(_eight_bits(picture), str(image.format), bits)
    except Image.DecompressionBombError as error:
        raise ImageError("the image claims over 178 million pixels; {at_most}", at_most=AT_MOST) from error
    except UnidentifiedImageError as error:
        raise ImageError("the file is not an image, whatever its name says") from error
    except ImageError:
        raise
    except Exception as error:  # damaged files reach corners of the decoders that raise anything
        raise ImageError("the image is cut off or damaged ({error})", error=error) from error


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
    """Return uint8 (H, W, 3) for looking at: undistorted, at most `longest` pixels a side."""
    image = _open(source)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(image.convert("RGB"))


def load_mask(path: Path, size: int | None = None) -> np.ndarray:
    """Return a mask file as boolean (H, W), or (size, size) by nearest neighbour: above half of its largest value."""
    image = Image.open(path).convert("L")
    if size is not None:
        image = image.resize((size, size), Image.Resampling.NEAREST)
    values = np.asarray(image)
    return values > values.max() / 2


def png(picture: np.ndarray) -> bytes:
    """Return uint8 (H, W) or (H, W, 3) as the bytes of a PNG file, lightly compressed."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def read(path: Path) -> bytes:
    """Return the bytes of a file. Raises `ImageError`."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError("the file is missing", kind="missing") from error
    except OSError as error:
        raise ImageError("the file cannot be read ({reason})", reason=error.strerror) from error


def _open(source: Path | Upload) -> Image.Image:
    return decode(source.content if isinstance(source, Upload) else read(source)).image


def _bits(image: Image.Image) -> int:
    """Return the bits a channel in the file; Pillow opens 16-bit colour as 8 bits."""
    if image.mode in _WIDE_MODES:
        return _WIDE_MODES[image.mode]
    tiles = getattr(image, "tile", [])
    raw = str(tiles[0].args) if tiles else ""
    return 16 if ";16" in raw else 1 if image.mode == "1" else 8


def _deep_colour(image: Image.Image, content: bytes) -> Image.Image:
    """Return 16-bit colour scaled by its range, on black; Pillow would cut it to the upper 8 bits."""
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3:
        raise ImageError("the image is cut off or damaged")
    colour = values[..., :3].astype(np.float32)
    if values.shape[2] == 4:
        colour *= values[..., 3:] / np.float32(65535)
    picture = Image.fromarray(cv2.cvtColor(_scaled(colour), cv2.COLOR_BGR2RGB))
    picture.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return picture


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode in _WIDE_MODES:
        return Image.fromarray(_scaled(np.asarray(image)))
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        picture = image.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, picture).convert("RGB")
    return image if image.mode == "L" else image.convert("RGB")


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return uint8 of the same shape: the smallest value becomes 0, the largest 255."""
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(finite.min()), float(finite.max())
    scale = 255 / (high - low) if high > low else 0.0
    return np.round((finite - low) * scale).astype(np.uint8)
