"""A DICOM radiograph to 8-bit grey pixels and the few facts of its header that are kept.

The order is the standard's (PS3.3 C.11): stored values, modality LUT (or rescale), VOI LUT or window, and inversion
of MONOCHROME1, so that air is dark. Of the header, patient, view, sex, age, modality and the mark for burned-in text
are read; nothing else leaves this file.
"""

import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cxrcore.data import codestream, dicom_decoder
from cxrcore.data.errors import ImageError, check_size
from cxrcore.messages import Message, msg

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = {".dcm", ".dicom", ""}  # files of a PACS export often have no suffix
MODALITIES = ("DX", "CR", "PX")
_DEFLATED = b"1.2.840.10008.1.2.1.99"
MAX_HEADER = 4 * 2**20  # bytes before the pixels; overlays and lookup tables may take some megabytes
_MOST_ELEMENTS = 20_000  # of a header; one takes some hundred bytes of memory
_MOST_READS = 6 * _MOST_ELEMENTS  # of a header: an item with one element takes six
# Bytes of a sequence of lookup tables, which is parsed when it is used: six full ones with what describes them.
_MOST_TABLES = 6 * (2**17 + 2**10)
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # what an item of a sequence begins with, in either byte order
_PIXEL_DATA = 0x7FE00010
_BAND_PIXELS = 250_000
_BANDS_BYTES = 20_000_000  # of the arrays that are made of one band
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_BANDS = ((18, "0-17"), (40, "18-39"), (60, "40-59"), (80, "60-79"), (200, "80+"))


@dataclass(frozen=True)
class Facts:
    """What a header says; "" where it does not, or in words that the standard does not have.

    `patient` is the identifier itself: hash it before it is kept. `view` is any text.
    """

    patient: str = ""
    view: str = ""
    sex: str = ""
    age: str = ""
    modality: str = ""
    burned_in: str = ""


NOTHING_KNOWN = Facts()


def is_dicom(content: bytes) -> bool:
    """Tell whether `content` is a DICOM file: `DICM` after a preamble of 128 bytes."""
    return content[128:132] == b"DICM"


def memory_needed(content: bytes) -> int:
    """Return about how many bytes `decode` takes: the stored values twice, float32 and two 8-bit copies.

    Raises:
        ImageError: damaged, with too large a header, or not one frame of a grey radiograph.
    """
    with _dicom_errors():
        if _DEFLATED in content:  # pydicom would unpack a file of any claimed size
            raise ImageError("a deflated DICOM file: export it uncompressed, as it could unpack to any size")
        header = _header(content)
        _check_is_radiograph(header)
        depth = 1 if int(header.BitsAllocated) <= 8 else 2
        return int(header.Rows) * int(header.Columns) * (2 * depth + 6) + _BANDS_BYTES


def decode(content: bytes) -> tuple[Image.Image, int, Facts]:
    """Return the 8-bit grey image, the bits stored for a pixel, and the facts of the header.

    Args:
        content: the bytes of a file that `memory_needed` accepts.

    Raises:
        ImageError: the pixels are missing or damaged.
    """
    with _dicom_errors():
        # What follows the pixels is not read.
        data: Dataset = _pydicom().filereader.read_partial(io.BytesIO(content), lambda tag, *_: tag > _PIXEL_DATA)
        if "PixelData" not in data:
            raise ImageError("the DICOM file holds no pixels")
        return Image.fromarray(_grey(data, content)), int(data.BitsStored), _facts(data)


@contextmanager
def _dicom_errors() -> Iterator[None]:
    """Turn what the parser raises into an `ImageError`; messages of the parser may hold words of the header."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(
            "the DICOM file is truncated, damaged or of an unknown kind ({name})", name=type(error).__name__
        ) from error


def age_band(text: str) -> str:
    """Return the band of a DICOM age (`045Y`, `018M`) or of a number of years: `0-17` to `80+`, "" if unknown."""
    found = _AGE.fullmatch(text.strip())
    years = int(found[1]) / {"D": 365, "W": 52, "M": 12, "Y": 1}[found[2]] if found else _number(text)
    return next((band for limit, band in _BANDS if 0 <= years < limit), "")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1.0


@lru_cache(maxsize=1)
def _pydicom() -> Any:
    """Return pydicom, with its warnings on faulty headers turned off."""
    import pydicom

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    warnings.filterwarnings("ignore", module="pydicom")
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    return pydicom


class _Reader(io.BytesIO):
    """Bytes that can be read `_MOST_READS` times: the parser counts no elements in items of unknown length."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads += 1
        if self._reads > _MOST_READS:
            raise _too_large()
        return super().read(size)


def _too_large() -> ImageError:
    return ImageError(
        "the DICOM header has over {megabytes} MB, or over {most} elements",
        megabytes=MAX_HEADER // 2**20,
        most=_MOST_ELEMENTS,
    )


def _header(content: bytes) -> "Dataset":
    """Return the elements before the pixels. Raises `ImageError` if they are too large or too many."""
    count, has_ended = 0, False

    def ends(tag: int, *_: object) -> bool:
        nonlocal count, has_ended
        count += 1
        has_ended = tag >= _PIXEL_DATA
        return has_ended or count > _MOST_ELEMENTS

    start = content[:MAX_HEADER]
    if sum(map(start.count, _ITEMS)) <= _MOST_ELEMENTS:
        header: Dataset = _pydicom().filereader.read_partial(_Reader(start), ends)
        tables = [header.get_item(name) for name in ("ModalityLUTSequence", "VOILUTSequence") if name in header]
        small = all(not found.is_raw or len(found.value or b"") <= _MOST_TABLES for found in tables)
        if small and count <= _MOST_ELEMENTS and (has_ended or start == content):
            return header
    raise _too_large()


def _check_is_radiograph(data: "Dataset") -> None:
    modality = str(data.get("Modality", ""))
    if modality not in MODALITIES:
        shown: Message | str = modality if re.fullmatch("[A-Z]{2,8}", modality) else msg("unknown modality")
        raise ImageError("{modality} is not a plain radiograph (DX, CR or PX)", modality=shown, kind="modality")
    frames = int(data.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise ImageError(
            "a DICOM file with {frames} frames (only single frames are supported)", frames=frames, kind="multi-frame"
        )
    if int(data.get("SamplesPerPixel", 1)) > 1 or not str(data.get("PhotometricInterpretation")).startswith("MONO"):
        raise ImageError("a DICOM file in colour", kind="colour")
    check_size(int(data.get("Columns", 0) or 0), int(data.get("Rows", 0) or 0))


def _grey(data: "Dataset", content: bytes) -> np.ndarray:
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
    from pydicom.pixels.utils import pixel_array

    if data.file_meta.TransferSyntaxUID.is_encapsulated:
        codestream.check_size_matches_header(data)
        stored = dicom_decoder.stored_values(content)
    else:
        stored = pixel_array(data)
    windowed = _is_windowed(data)
    shown = np.empty(stored.shape, np.float32)
    ranges: list[float] = []
    step = max(1, _BAND_PIXELS // stored.shape[1])
    for top in range(0, len(stored), step):  # the lookup tables make float64 of the pixels
        values = apply_modality_lut(stored[top : top + step], data)
        if not windowed:
            ranges += [float(values.min()), float(values.max())]
        shown[top : top + step] = apply_voi_lut(values, data) if windowed else values
    low, high = _range(data, ranges)
    shown -= low
    shown *= 255 / (high - low) if high > low else 0.0
    grey = np.clip(np.round(shown, out=shown), 0, 255, out=shown).astype(np.uint8)
    return 255 - grey if data.PhotometricInterpretation == "MONOCHROME1" else grey


def _is_windowed(data: "Dataset") -> bool:
    has_window = data.get("WindowCenter") not in (None, "") and data.get("WindowWidth") not in (None, "")
    return has_window or bool(data.get("VOILUTSequence"))


def _range(data: "Dataset", found: list[float]) -> tuple[float, float]:
    """Return the values that become black and white.

    `found`: the least and largest values after the modality LUT; empty if there is a window or a VOI LUT.

    After a VOI LUT: the range of its entries. After a window: the range pydicom spreads it over, which is that of the
    stored bits after the modality LUT. Without either: all of 8 bits, or the range found in the image.
    """
    bits = int(data.BitsStored)
    lut = data.get("VOILUTSequence")
    if lut and not found:
        return 0.0, 2.0 ** int(lut[0].LUTDescriptor[2]) - 1
    if found and bits != 8:
        return min(found), max(found)
    modality_lut = data.get("ModalityLUTSequence")
    if modality_lut:
        return 0.0, 2.0 ** int(modality_lut[0].LUTDescriptor[2]) - 1
    signed = int(data.PixelRepresentation) == 1
    low, high = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    slope, intercept = float(data.get("RescaleSlope", 1) or 1), float(data.get("RescaleIntercept", 0) or 0)
    ends = low * slope + intercept, high * slope + intercept
    return min(ends), max(ends)


def _facts(data: "Dataset") -> Facts:
    def text(name: str) -> str:
        return str(data.get(name, "") or "").strip()

    sex, burned_in = text("PatientSex"), text("BurnedInAnnotation").lower()
    return Facts(
        patient=text("PatientID"),
        view=text("ViewPosition"),
        sex=sex if sex in ("M", "F", "O") else "",
        age=age_band(text("PatientAge")),
        modality=text("Modality"),
        burned_in=burned_in if burned_in in ("yes", "no") else "",
    )
