"""A DICOM radiograph to 8-bit grey pixels and the few facts of its header that are kept.

The order is the standard's (PS3.3 C.11): stored values, modality LUT (or rescale), VOI LUT or window, and inversion
of MONOCHROME1, so that air is dark. Of the header, patient, view, sex, age, modality and the mark for burned-in text
are read; nothing else leaves this file.
"""

import io
import logging
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cxrcore.data import codestream, dicom_decoder
from cxrcore.data.errors import ImageError, check_size

if TYPE_CHECKING:
    from pydicom import Dataset

SUFFIXES = {".dcm", ".dicom", ""}  # files of a PACS export often have no suffix
MODALITIES = ("DX", "CR", "PX")
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_AGE = re.compile(r"(\d{1,3})([DWMY])")
_BANDS = ((18, "0-17"), (40, "18-39"), (60, "40-59"), (80, "60-79"), (200, "80+"))


@dataclass(frozen=True)
class Facts:
    """What a header tells; "" where it does not. `patient` is the identifier itself: hash it before it is kept."""

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


def decode(content: bytes) -> tuple[Image.Image, int, Facts]:
    """Return the 8-bit grey image, the bits stored for a pixel, and the facts of the header.

    Raises:
        ImageError: damaged, or not one frame of a grey radiograph.
    """
    try:
        data = _parse(content)
        _refuse_others(data)
        return Image.fromarray(_grey(data, content)), int(data.BitsStored), _facts(data)
    except ImageError:
        raise
    except Exception as error:
        # Damaged files reach corners of the parser that raise anything, with words of the header in the message.
        raise ImageError(
            "the DICOM file is cut off, damaged or of a kind unknown here ({name})", name=type(error).__name__
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


def _parse(content: bytes) -> "Dataset":
    if _DEFLATED in content:  # pydicom would unpack whatever it claims
        raise ImageError("a deflated DICOM file: export it without that, as it could unpack to any size")
    return _pydicom().dcmread(io.BytesIO(content))


@lru_cache(maxsize=1)
def _pydicom() -> Any:
    """Return pydicom, told once not to comment on each flaw of a header."""
    import pydicom

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    warnings.filterwarnings("ignore", module="pydicom")
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    return pydicom


def _refuse_others(data: "Dataset") -> None:
    modality = str(data.get("Modality", ""))
    if modality not in MODALITIES:
        modality = modality if re.fullmatch("[A-Z]{2,8}", modality) else "unknown modality"
        raise ImageError("{modality} is no plain radiograph (DX, CR or PX)", modality=modality, kind="modality")
    if "PixelData" not in data:
        raise ImageError("the DICOM file holds no pixels")
    frames = int(data.get("NumberOfFrames", 1) or 1)
    if frames > 1:
        raise ImageError("a DICOM file of {frames} frames, not one", frames=frames, kind="multi-frame")
    if int(data.get("SamplesPerPixel", 1)) > 1 or not str(data.get("PhotometricInterpretation")).startswith("MONO"):
        raise ImageError("a DICOM file in colour", kind="colour")
    check_size(int(data.get("Columns", 0) or 0), int(data.get("Rows", 0) or 0))


def _grey(data: "Dataset", content: bytes) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array

    compressed = data.file_meta.TransferSyntaxUID.is_encapsulated
    if compressed:
        codestream.refuse_false_size(data)
    values = apply_modality_lut(dicom_decoder.stored_values(content) if compressed else pixel_array(data), data)
    windowed = _is_windowed(data)
    low, high = _range(data, values, windowed)
    shown = np.array(apply_voi_lut(values, data) if windowed else values, dtype=np.float32)
    shown -= low
    shown *= 255 / (high - low) if high > low else 0.0
    grey = np.clip(np.round(shown, out=shown), 0, 255, out=shown).astype(np.uint8)
    return 255 - grey if data.PhotometricInterpretation == "MONOCHROME1" else grey


def _is_windowed(data: "Dataset") -> bool:
    has_window = data.get("WindowCenter") not in (None, "") and data.get("WindowWidth") not in (None, "")
    return has_window or bool(data.get("VOILUTSequence"))


def _range(data: "Dataset", values: np.ndarray, windowed: bool) -> tuple[float, float]:
    """Return the values that become black and white.

    After a VOI LUT: the range of its entries. After a window: the range pydicom spreads it over, which is that of the
    stored bits after the modality LUT. Without either: all of 8 bits, or the range found in the image.
    """
    bits = int(data.BitsStored)
    lut = data.get("VOILUTSequence")
    if windowed and lut:
        return 0.0, 2.0 ** int(lut[0].LUTDescriptor[2]) - 1
    if not windowed and bits != 8:
        return float(values.min()), float(values.max())
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

    sex = text("PatientSex")
    return Facts(
        patient=text("PatientID"),
        view=text("ViewPosition"),
        sex=sex if sex in ("M", "F", "O") else "",
        age=age_band(text("PatientAge")),
        modality=text("Modality"),
        burned_in=text("BurnedInAnnotation").lower(),
    )
