"""What opening takes at most, as the budget counts it, against the peak of a process that opens the file."""

import io
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.data.dicom_files import compress, lookup_table, radiograph

WIDTH, HEIGHT = 3200, 2400  # 7.7 million pixels
MARGIN = 12_000_000  # bytes: what the process allocates besides, as pages of libraries
_MEASURE = """
import ctypes, json, sys
from pathlib import Path
import numpy as np
from cxrcore.data import dicom, images

def status(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024

found = {}
for warm in (True, False):
    for name in sys.argv[1:]:
        content = Path(name).read_bytes()
        needed = (dicom.memory_needed if dicom.is_dicom(content) else images._memory_needed)(content)
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is taken
        before = status("VmRSS")
        images.decode(content)
        found[Path(name).name] = (status("VmHWM") - before, needed)
print(json.dumps(found))
"""


def _pillow(form, mode, **options):
    buffer = io.BytesIO()
    Image.new(mode, (WIDTH, HEIGHT), 1).save(buffer, form, **options)
    return buffer.getvalue()


def _opencv(suffix, *shape, dtype=np.uint16):
    return cv2.imencode(suffix, np.zeros((HEIGHT, WIDTH, *shape), dtype))[1].tobytes()


def _turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def _files(folder):
    values = np.zeros((HEIGHT, WIDTH), int)
    plain = radiograph(values)
    return {
        "1 bit": _pillow("PNG", "1"),
        "grey": _pillow("PNG", "L"),
        "grey, 16 bits": _pillow("PNG", "I;16"),
        "grey and alpha": _pillow("PNG", "LA"),
        "palette": _pillow("PNG", "P"),
        "palette with transparency": _pillow("PNG", "P", transparency=b"\0"),
        "PNG RGBA, turned": _pillow("PNG", "RGBA", exif=_turned()),
        "PNG RGB, 16 bits": _opencv(".png", 3),
        "PNG RGBA, 16 bits": _opencv(".png", 4),
        "JPEG, turned": _pillow("JPEG", "RGB", exif=_turned()),
        "JPEG, progressive": _pillow("JPEG", "RGB", progressive=True, subsampling=0),
        "JPEG CMYK, progressive": _pillow("JPEG", "CMYK", progressive=True),
        "TIFF, LZW": _pillow("TIFF", "RGB", compression="tiff_lzw"),
        "TIFF, one strip": _pillow("TIFF", "RGB", compression="tiff_adobe_deflate", strip_size=10**9),
        "TIFF, predictor": _pillow("TIFF", "RGB", compression="tiff_lzw", tiffinfo={317: 2}),
        "TIFF CMYK": _pillow("TIFF", "CMYK", compression="tiff_adobe_deflate"),
        "TIFF, 20 pages": _pillow("TIFF", "L", save_all=True, append_images=[Image.new("L", (WIDTH, HEIGHT))] * 19),
        "TIFF float": _pillow("TIFF", "F", compression="tiff_adobe_deflate"),
        "TIFF RGB, 16 bits": _opencv(".tif", 3),
        "TIFF RGBA, 16 bits": _opencv(".tif", 4),
        "WEBP": _pillow("WEBP", "RGB", method=0),
        "WEBP, lossless with alpha": _pillow("WEBP", "RGBA", method=0, lossless=True),
        "BMP": _pillow("BMP", "RGB"),
        "DICOM": plain,
        "DICOM, window": radiograph(values, WindowCenter=2048, WindowWidth=4096),
        "DICOM, lookup table": radiograph(values, VOILUTSequence=lookup_table(range(4096), 12)),
        "DICOM, RLE": compress(plain, "RLELossless", folder),
        "DICOM, JPEG 2000": compress(plain, "JPEG2000Lossless", folder),
    }


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak from /proc")
def test_no_format_takes_more_than_the_budget_counts(tmp_path):
    files = _files(tmp_path)
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-c", _MEASURE, *(str(tmp_path / name) for name in files)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout)
    assert len(found) == len(files)
    over = {name: (peak, needed) for name, (peak, needed) in found.items() if peak > needed + MARGIN}
    print({name: (round(peak / 1e6), round(needed / 1e6)) for name, (peak, needed) in found.items()})
    assert not over
