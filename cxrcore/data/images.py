"""One image file to uint8 RGB pixels, or a sentence that says why not."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"}
# A chest radiograph has at most about 20 million pixels; a header that claims far more is an accident
# or an attack (a "decompression bomb") and would need gigabytes to open.
MAX_PIXELS = 100_000_000
# Others, such as EPS, would hand a stranger's file to further programs.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_WIDE_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}


class ImageError(Exception):
    """An image that cannot be used; its text is the reason, for example `the file is cut off`."""


@dataclass(frozen=True)
class Upload:
    """An image held in memory: its name and the bytes of its file."""

    name: str
    content: bytes


def open_rgb(source: Path | Upload) -> Image.Image:
    """Return the image as 8-bit RGB, upright.

    More than 8 bits a pixel are scaled by the range found in the image, not clipped; transparency is
    composed on black; the EXIF orientation is obeyed.

    Raises:
        ImageError: the file is missing, empty, no image, cut off, or larger than `MAX_PIXELS`.
    """
    content = source.content if isinstance(source, Upload) else read(source)
    if not content:
        raise ImageError("the file is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise ImageError(_too_large(f"{image.width} x {image.height}"))
            image.load()
            return _to_rgb(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError as error:
        raise ImageError(_too_large("over 178 million")) from error
    except UnidentifiedImageError as error:
        raise ImageError("the file is not an image, whatever its name says") from error
    except ImageError:
        raise
    except Exception as error:  # damaged files reach corners of the decoders that raise anything
        raise ImageError(f"the image is cut off or damaged ({error})") from error


def pixels(image: Image.Image, size: int) -> np.ndarray:
    """Return uint8 (size, size, 3), resized by Pillow's bicubic filter as in the tutorials."""
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def load(source: Path | Upload, size: int) -> np.ndarray:
    """Return the pixels of an image file: uint8 (size, size, 3). Raises `ImageError`."""
    return pixels(open_rgb(source), size)


def display(source: Path | Upload, longest: int = 640) -> np.ndarray:
    """Return uint8 (H, W, 3) for looking at: undistorted, at most `longest` pixels a side."""
    image = open_rgb(source)
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return np.asarray(image)


def load_mask(path: Path, size: int | None = None) -> np.ndarray:
    """Return a mask file as boolean (H, W), or (size, size) by nearest neighbour."""
    image = Image.open(path).convert("L")
    if size is not None:
        image = image.resize((size, size), Image.Resampling.NEAREST)
    return np.asarray(image) > 127


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
        raise ImageError("the file is missing") from error
    except OSError as error:
        raise ImageError(f"the file cannot be read ({error.strerror})") from error


def _too_large(found: str) -> str:
    return f"the image claims {found} pixels; at most {MAX_PIXELS // 1_000_000} million are opened"


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _WIDE_MODES:
        return _scaled(image).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        picture = image.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, picture).convert("RGB")
    return image.convert("RGB")


def _scaled(image: Image.Image) -> Image.Image:
    """Return 8-bit grey: the smallest value becomes 0, the largest 255."""
    values = np.asarray(image).astype(np.float64)
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = finite.min(), finite.max()
    scale = 255 / (high - low) if high > low else 0.0
    return Image.fromarray(np.round((finite - low) * scale).astype(np.uint8))
