"""DICOM files with known pixels, written by pydicom, and compressed by GDCM in a process of its own."""

import io
import subprocess
import sys

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

COMPRESSED = {
    "JPEG lossless": "JPEGLosslessProcess14_1",
    "JPEG-LS": "JPEGLSLossless",
    "JPEG 2000": "JPEG2000Lossless",
    "RLE": "RLELossless",
}
_COMPRESS = """
import sys, gdcm
for name in sys.argv[2:]:
    reader = gdcm.ImageReader(); reader.SetFileName(name); assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax(); change.SetInput(reader.GetImage())
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, sys.argv[1]))); assert change.Change()
    writer = gdcm.ImageWriter(); writer.SetFileName(name); writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput()); assert writer.Write()
"""


def radiograph(values, bits=12, signed=False, photometric="MONOCHROME2", syntax=ExplicitVRLittleEndian, **header):
    """Return the bytes of a DICOM radiograph with the stored `values`; `header`: values or whole elements."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = DigitalXRayImageStorageForPresentation
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.Modality, data.SamplesPerPixel, data.PhotometricInterpretation = "DX", 1, photometric
    data.Rows, data.Columns = np.shape(values)[:2]
    data.BitsAllocated, data.BitsStored, data.HighBit = (16 if bits > 8 else 8), bits, bits - 1
    data.PixelRepresentation = int(signed)
    kind = ("i" if signed else "u") + str(data.BitsAllocated // 8)
    data.PixelData = np.asarray(values).astype("<" + kind).tobytes()
    for name, value in header.items():
        data.add(value) if isinstance(value, DataElement) else setattr(data, name, value)
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def compress(content, syntax, folder):
    """Return the same file, compressed."""
    file = folder / "packed.dcm"
    file.write_bytes(content)
    compress_files([file], syntax)
    return file.read_bytes()


def compress_files(files, syntax):
    """Compress files where they are."""
    subprocess.run([sys.executable, "-c", _COMPRESS, syntax, *map(str, files)], check=True, capture_output=True)


def lookup_table(entries, bits):
    """Return the item of a modality or VOI LUT sequence that maps 0, 1, ... to `entries`."""
    item = Dataset()
    item.add_new(0x00283002, "US", [len(entries), 0, bits])
    item.add_new(0x00283006, "OW", np.asarray(entries, "<u2").tobytes())
    return pydicom.Sequence([item])
