"""Fixtures: an empty workspace, a small phantom dataset, the real files where they are at hand."""

import errno
import io
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxrcore import i18n, logs

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CXR_KEY_FILE"] = str(Path(tempfile.mkdtemp()) / "path.key")  # one for all tests, as workspaces are copied

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


def pytest_collection_modifyitems(items):
    reason = "the real X-rays and weights are not at hand (../shared)"
    for item in items:
        if item.get_closest_marker("shared") and not SHARED.is_dir():
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty workspace of the test's own; no settings of the user's."""
    for name in ("CXR_WEIGHTS_DIR", "CXR_MAX_JOBS", "CXR_DATA_ROOTS", "CXR_MIRROR", "CXR_READ_ONLY"):
        monkeypatch.delenv(name, raising=False)
    for name in (
        "CXR_FEATURES_DIR",
        "CXR_HALF_PRECISION",
        "CXR_CACHE_GB",
        "CXR_WORKERS",
        "CXR_WORKER_MB",
        "CXR_EXECUTOR",
        "CXR_DASK_SCHEDULER",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CXR_OPENVINO", "0")  # Keras, unless a test says otherwise
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("cxrcore.watched.SECONDS", 0.0)  # tests change files in other ways than the program does
    folder = tmp_path / "workspace"
    monkeypatch.setenv("CXR_HOME", str(folder))
    i18n.use("en")
    return folder


@pytest.fixture(autouse=True)
def _log_of_its_own():
    """A log that a test starts ends with it."""
    yield
    logs.LOGGER.handlers.clear()
    logs.LOGGER.propagate = True


@pytest.fixture
def denied(monkeypatch):
    """A context in which a folder and all in it may not be read, as if it were another user's: root may read all."""

    @contextmanager
    def denied(folder):
        def asks(function, inside_only):
            def checked(path=".", *args, **options):
                if isinstance(path, str | Path):
                    found = Path(path)
                    if folder in found.parents or (found == folder and not inside_only):
                        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
                return function(path, *args, **options)

            return checked

        with monkeypatch.context() as patch:
            for name in ("stat", "lstat"):
                patch.setattr(os, name, asks(getattr(os, name), inside_only=True))
            for module, name in ((os, "scandir"), (os, "listdir"), (os, "open"), (io, "open")):
                patch.setattr(module, name, asks(getattr(module, name), inside_only=False))
            yield

    return denied


@pytest.fixture(scope="session")
def _drawn(tmp_path_factory):
    """A phantom dataset drawn once: 3 classes, 10 patients each, 2 images a patient."""
    from cxrcore.data.phantom import dataset as phantoms

    folder = tmp_path_factory.mktemp("drawn")
    before = os.environ.get("CXR_HOME")
    os.environ["CXR_HOME"] = str(folder)
    phantoms.create("phantom", patients=10, images=2, seed=5)
    os.environ.pop("CXR_HOME") if before is None else os.environ.update(CXR_HOME=before)
    return folder


@pytest.fixture
def phantom(home, _drawn):
    """The dataset `phantom` in the test's workspace: 60 images of 30 patients."""
    from cxrcore.data import dataset

    shutil.copytree(_drawn / "datasets", home / "datasets")
    return dataset.load("phantom")


@pytest.fixture(scope="session")
def _trained(tmp_path_factory, _drawn):
    """A workspace with one finished run of CXRTiny at 64 pixels on the phantoms."""
    from cxrcore import runs
    from cxrcore.config import run_config
    from cxrcore.training import pipeline

    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(_drawn / "datasets", folder / "datasets")
    before = os.environ.get("CXR_HOME")
    os.environ["CXR_HOME"] = str(folder)
    chosen = run_config.make(dataset="phantom", size=64, head="gap", epochs=20)
    name = pipeline.run(chosen, runs.create(chosen).folder).name
    os.environ.pop("CXR_HOME") if before is None else os.environ.update(CXR_HOME=before)
    return folder, name


@pytest.fixture
def trained(home, _trained):
    """A finished run in the test's workspace."""
    from cxrcore import runs

    folder, name = _trained
    shutil.copytree(folder, home)
    return runs.load(name)


@pytest.fixture(scope="session")
def _made(tmp_path_factory):
    """A workspace with finished runs of 2, 10 and 50 classes, made without training."""
    from tests import synthetic_runs

    folder, before = tmp_path_factory.mktemp("made"), os.environ.get("CXR_HOME")
    os.environ["CXR_HOME"] = str(folder)
    matrices = {2: [[9, 1], [2, 8]], 10: synthetic_runs.confusion(10), 50: synthetic_runs.confusion(50)}
    names = {2: ["NORMAL", synthetic_runs.NASTY[0]], 10: synthetic_runs.names(10), 50: synthetic_runs.names(50)}
    made = {count: synthetic_runs.make(names[count], matrices[count], f"made{count}").name for count in matrices}
    os.environ.pop("CXR_HOME") if before is None else os.environ.update(CXR_HOME=before)
    return folder, made


@pytest.fixture
def made(home, _made):
    """Finished runs by their number of classes; 2: the normal class and `<script>alert(1)</script>`, which is positive,
    with the matrix [[9, 1], [2, 8]]; 10 and 50: three of four images of each class are correct.
    """
    from cxrcore import runs

    folder, names = _made
    shutil.copytree(folder / "runs", home / "runs")
    (home / "datasets").symlink_to(folder / "datasets")
    return {count: runs.load(name) for count, name in names.items()}


@pytest.fixture
def save(tmp_path):
    """Write pixels as an image file below tmp_path and return its path."""

    def write(name, pixels, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(pixels)).save(path, **options)
        return path

    return write
