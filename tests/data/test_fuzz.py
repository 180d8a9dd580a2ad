"""Damaged files of every format: each is opened or refused with a reason, in limited time and memory.

`make fuzz` mutates 5,500 files, the default suite some hundred.
"""

import io
import os
import resource
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cxrcore.data import file_tree, images
from cxrcore.data.images import ImageError, Upload
from cxrcore.data.readers import detect
from cxrcore.errors import UserError
from tests.data.dicom_files import COMPRESSED, compress, radiograph
from tests.data.zip_files import zipped

MANY = int(os.environ.get("CXR_FUZZ", "260"))
LIMIT = 5.0 if MANY > 1000 else 10.0  # seconds by the clock; in the suite, other tests run beside
MEGABYTES = 1024
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50), dtype=np.uint8)
PICTURES = ["PNG", "PNG 16", "JPEG", "TIFF", "WEBP", "BMP"]
DICOMS = ["DICOM", *COMPRESSED]
LISTS = ["npy", "zip", "csv", "metadata.csv"]
KINDS = [*PICTURES, *DICOMS, *LISTS]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A sound file of every kind."""
    found = {name: _picture(name) for name in PICTURES}
    found["DICOM"] = radiograph(PIXELS.astype(int) * 16, WindowCenter=2048, WindowWidth=4096, PatientAge="045Y")
    folder = tmp_path_factory.mktemp("dicom")
    found |= {name: compress(found["DICOM"], syntax, folder) for name, syntax in COMPRESSED.items()}
    arrays = io.BytesIO()
    np.save(arrays, np.stack([PIXELS] * 3, axis=-1)[None])
    inner = zipped({"COVID/b.png": found["PNG"]})
    table = pd.DataFrame({"path": ["a.png"], "label": ["NORMAL"], "age": ["45"], "view": ["PA"]})
    covid = pd.DataFrame(
        [["1", "COVID-19", "PA", "X-ray", "a.png"]], columns=["patientid", "finding", "view", "modality", "filename"]
    )
    return found | {
        "npy": arrays.getvalue(),
        "zip": zipped({"NORMAL/a.png": found["PNG"], "inner.zip": inner}),
        "csv": table.to_csv(index=False).encode(),
        "metadata.csv": covid.to_csv(index=False).encode(),
    }


def _picture(name):
    buffer = io.BytesIO()
    pixels = PIXELS.astype(np.uint16) * 257 if name == "PNG 16" else PIXELS
    Image.fromarray(pixels).save(buffer, name.split()[0])
    return buffer.getvalue()


def _tree(kind, content, good):
    """Return the tree of files in which a reader of `kind` meets `content`."""
    one_hot = io.BytesIO()
    np.save(one_hot, np.eye(3)[:1])
    around = {
        "npy": {"X_a.npy": content, "Y_a.npy": one_hot.getvalue()},
        "zip": {"some.zip": content},
        "csv": {"list.csv": content, "a.png": good["PNG"]},
        "metadata.csv": {"metadata.csv": content, "images/a.png": good["PNG"]},
    }[kind]
    return file_tree.of_uploads(Upload(name, inside) for name, inside in around.items())


def _use(kind, content, good):
    if kind not in LISTS:
        images.decode(content)
        return
    for reading in detect.read(_tree(kind, content, good)):
        for row in reading.rows.itertuples():
            if row.content is not None:
                images.decode(row.content())


def _peak():
    """Return the most memory that this process ever had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


MUTATION = st.tuples(
    st.sampled_from(["flip", "cut", "replace", "insert", "repeat"]), st.floats(0, 1), st.binary(min_size=1, max_size=24)
)


def mutated(content, mutations):
    """Return `content` after each (how, where, bytes)."""
    changed = bytearray(content)
    for how, where, some in mutations:
        place = int(where * len(changed))
        if how == "flip" and place < len(changed):
            changed[place] ^= some[0] or 0xFF
        elif how == "cut":
            del changed[place:]
        elif how == "replace":
            changed[place : place + len(some)] = some
        elif how == "insert":
            changed[place:place] = some
        else:
            changed[place:place] = changed[place : place + 1000]
    return bytes(changed)


@pytest.mark.timeout(3000)
@settings(max_examples=MANY, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(KINDS), mutations=st.lists(MUTATION, min_size=1, max_size=5))
def test_mutated_files_are_opened_or_refused(good, kind, mutations):
    content = mutated(good[kind], mutations)
    start, before = time.monotonic(), _peak()
    try:
        _use(kind, content, good)
    except (ImageError, UserError) as error:
        assert str(error)
    assert time.monotonic() - start < LIMIT
    assert _peak() - before < MEGABYTES


@pytest.mark.parametrize("kind", KINDS)
def test_valid_files_are_opened(good, kind):
    _use(kind, good[kind], good)
