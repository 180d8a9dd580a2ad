"""DICOM to grey levels, with values worked out by hand, and pydicom's own test files."""

import os
import signal
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from cxrcore.data import dicom, dicom_decoder, images
from cxrcore.data.errors import ImageError
from tests.data.dicom_files import COMPRESSED, compress, lookup_table, radiograph

RAMP = np.arange(16).reshape(4, 4) * 17  # 0, 17, ... 255
NOISE = np.random.default_rng(0).integers(0, 256, (40, 50))


def grey(content):
    return images.decode(content).grey().astype(int)


def test_8_bit_values_are_unchanged():
    assert (grey(radiograph(RAMP // 2, bits=8)) == RAMP // 2).all()


def test_more_bits_without_window_are_scaled_by_range():
    assert (grey(radiograph(RAMP * 3 + 500)) == RAMP).all()


def test_monochrome1_is_inverted_after_windowing():
    plain = radiograph(RAMP * 16, WindowCenter=2048, WindowWidth=4096)
    inverted = radiograph(RAMP * 16, photometric="MONOCHROME1", WindowCenter=2048, WindowWidth=4096)
    assert (grey(inverted) == 255 - grey(plain)).all()


def test_window_matches_dicom_standard_formula():
    """PS3.3 C.11.2.1.2.1, center 100 and width 51: black to 74.5, white above 124.5, between (x - 99.5) / 50 + 0.5."""
    values = np.array([[0, 74, 75, 100], [112, 124, 125, 4000]])
    expected = np.array([[0, 0, (75 - 99.5) / 50 + 0.5, 0.51], [0.75, 0.99, 1, 1]]) * 255
    assert np.abs(grey(radiograph(values, WindowCenter=100, WindowWidth=51)) - expected).max() <= 1


def test_rescale_is_applied_before_window():
    """Stored 0 to 255 is -1000 to 20 by slope 4; a window from -1000 to 20 shows all of it."""
    content = radiograph(RAMP, RescaleSlope=4, RescaleIntercept=-1000, WindowCenter=-490, WindowWidth=1021)
    assert np.abs(grey(content) - RAMP).max() <= 1


def test_signed_image_with_window():
    content = radiograph(RAMP * 16 - 2048, signed=True, WindowCenter=0, WindowWidth=4096)
    assert np.abs(grey(content) - RAMP).max() <= 1


def test_modality_lut_is_applied_before_voi_lut():
    values = np.array([[0, 1], [2, 3]])
    content = radiograph(
        values,
        bits=8,
        ModalityLUTSequence=lookup_table([3, 2, 1, 0], 8),
        VOILUTSequence=lookup_table([0, 10, 20, 255], 8),
    )
    assert (grey(content) == [[255, 20], [10, 0]]).all()


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_pixels_equal_the_source(name, tmp_path):
    content = radiograph(NOISE * 16, WindowCenter=2048, WindowWidth=4096)
    packed = compress(content, COMPRESSED[name], tmp_path)
    assert len(packed) != len(content)
    assert np.abs(grey(packed) - NOISE).max() <= 1


def test_only_listed_header_fields_are_kept():
    person = {"PatientID": "123", "PatientName": "Jane", "PatientSex": "F", "PatientAge": "045Y"}
    other = {"ViewPosition": "PA", "BurnedInAnnotation": "YES", "InstitutionName": "St. Nowhere"}
    content = radiograph(RAMP, **person, **other)
    facts = images.decode(content).facts
    assert facts == dicom.Facts("123", "PA", "F", "40-59", "DX", "yes")


@pytest.mark.parametrize(
    ("text", "band"),
    [
        *[("017Y", "0-17"), ("018Y", "18-39"), ("018M", "0-17"), ("040Y", "40-59"), ("60", "60-79"), ("80.5", "80+")],
        *[("", ""), ("unknown", ""), ("-3", ""), ("250", "")],
    ],
)
def test_age_bands(text, band):
    assert dicom.age_band(text) == band


@pytest.mark.parametrize(
    ("header", "kind", "reason"),
    [
        ({"Modality": "CT"}, "modality", "CT is not a plain radiograph"),
        ({"Modality": ""}, "modality", "unknown modality is not a plain radiograph"),
        ({"NumberOfFrames": 30}, "multi-frame", "30 frames"),
        ({"PhotometricInterpretation": "RGB"}, "colour", "in colour"),
        ({"Rows": 60_000, "Columns": 60_000}, "unreadable", "60000 x 60000 pixels"),
        ({"Rows": 400}, "unreadable", "truncated, damaged"),
        ({"BitsStored": 999}, "unreadable", "truncated, damaged"),
    ],
)
def test_other_than_grey_radiograph_is_refused_with_reason(header, kind, reason):
    with pytest.raises(ImageError, match=reason) as caught:
        images.decode(radiograph(RAMP, **header))
    assert caught.value.kind == kind


def test_deflated_dicom_is_refused():
    """It could unpack to any size, and pydicom unpacks before it looks."""
    content = radiograph(RAMP, bits=8, syntax=DeflatedExplicitVRLittleEndian)
    with pytest.raises(ImageError, match="a deflated DICOM file"):
        images.decode(content)


def test_negative_rescale_slope_inverts_the_image():
    content = radiograph(RAMP, bits=8, RescaleSlope=-1, RescaleIntercept=255)
    assert (grey(content) == 255 - RAMP).all()


def test_error_message_has_no_header_text():
    with pytest.raises(ImageError) as caught:
        images.decode(radiograph(RAMP, Modality="DOE^JOHN"))
    assert "DOE" not in str(caught.value)


def test_codestream_size_other_than_header_is_refused(tmp_path):
    packed = bytearray(compress(radiograph(NOISE * 16), COMPRESSED["JPEG 2000"], tmp_path))
    place = packed.index(b"\xff\x4f\xff\x51") + 8
    packed[place : place + 4] = (60_000).to_bytes(4, "big")
    with pytest.raises(ImageError, match="claim 60000 x 40"):
        images.decode(bytes(packed))


def test_dead_decoder_process_is_replaced(tmp_path):
    packed = compress(radiograph(NOISE * 16), COMPRESSED["RLE"], tmp_path)
    grey(packed)
    child = dicom_decoder._idle.queue[-1]
    child.process.kill()
    child.process.wait()
    assert np.abs(grey(packed) - NOISE).max() <= 1


def test_hanging_decoder_process_is_killed(tmp_path, monkeypatch):
    packed = compress(radiograph(NOISE * 16), COMPRESSED["RLE"], tmp_path)
    grey(packed)
    child = dicom_decoder._idle.queue[-1]
    os.kill(child.process.pid, signal.SIGSTOP)
    monkeypatch.setattr(dicom_decoder, "PATIENCE", 3.0)
    assert np.abs(grey(packed) - NOISE).max() <= 1  # by the next child
    assert child.process.poll() == -signal.SIGKILL


def test_pydicom_sample_files_are_read_or_refused(monkeypatch):
    """Most are CT, MR or colour; taken for radiographs, their pixels equal pydicom's own after scaling by range."""
    monkeypatch.setattr(dicom, "MODALITIES", ("DX", "CR", "PX", "CT", "MR"))
    files = sorted(Path(pydicom.data.__file__).parent.rglob("*.dcm"))
    opened = {}
    for path in files:
        try:
            opened[path.name] = images.decode(path.read_bytes())
        except ImageError as error:
            assert str(error)
    assert {"CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm"} <= set(opened)
    plain = opened["MR_small.dcm"].grey()
    for same in (
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_bigendian.dcm",
    ):
        assert (opened[same].grey() == plain).all(), same
    assert plain.min() >= 0 and plain.std() > 10
