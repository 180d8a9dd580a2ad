"""The real X-rays and weights in ../shared, where they are available."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.audits.dataset import audit
from cxrcore.config import run_config
from cxrcore.data import dataset, images
from cxrcore.data.importing import import_folders
from cxrcore.training import pipeline
from tests.conftest import SHARED
from tests.data.dicom_files import COMPRESSED, compress_files, radiograph

SOURCES = ("covid-chestxray-dataset", "chest_xray")
pytestmark = [pytest.mark.shared, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def _imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_HOME", str(folder))
        import_folders([SHARED / "data" / name for name in SOURCES], "real")
    return folder


@pytest.fixture
def real(monkeypatch, home, _imported):
    """The two shared folders as the dataset `real`."""
    monkeypatch.setenv("CXR_WEIGHTS_DIR", str(SHARED / "weights"))
    shutil.copytree(_imported / "datasets", home / "datasets")
    return dataset.load("real")


def test_real_folders_import_as_documented(real):
    assert real.counts() == {"COVID": 175, "NORMAL": 100, "OTHER INFECTION": 100}
    # 110 rows are lateral or CT; six of them name a file a second time
    assert real.left_out_counts() == {"view": 104, "finding": 20, "repeated": 6}
    covid = real.usable[real.usable["label"] == "COVID"]
    assert covid["patient"].nunique() == 115 and set(covid["view"]) == {"PA", "AP", "AP Supine"}


def test_zip_of_the_folders_imports_the_same_images(real, tmp_path):
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as file:
        for name in SOURCES:
            for path in sorted((SHARED / "data" / name).rglob("*")):
                if path.is_file():
                    file.write(path, path.relative_to(SHARED / "data"))
    zipped = import_folders([tmp_path / "both.zip"], "zipped")
    assert zipped.counts() == real.counts() and zipped.left_out_counts() == real.left_out_counts()
    assert set(zip(zipped.usable["sha256"], zipped.usable["label"], strict=True)) == set(
        zip(real.usable["sha256"], real.usable["label"], strict=True)
    )


FOLDER = {"COVID": "covid", "NORMAL": "Normal", "OTHER INFECTION": "other_infection"}


def test_dicom_files_import_with_the_same_labels_and_pixels(real, tmp_path):
    """A window over 12 bits, MONOCHROME1, and each compression; every fifth image."""
    some, syntaxes, plain = real.usable[::5], list(COMPRESSED.values()), {}
    for k, row in enumerate(some.itertuples()):
        grey = images.decode(Path(row.path).read_bytes()).grey()
        stored, kind = (
            (4080 - grey.astype(int) * 16, "MONOCHROME1") if k % 2 else (grey.astype(int) * 16, "MONOCHROME2")
        )
        file = tmp_path / "dicom" / FOLDER[row.label] / f"{k}.dcm"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(
            radiograph(stored, photometric=kind, WindowCenter=2040.5, WindowWidth=4081, PatientID=row.patient)
        )
        plain[str(file)] = grey
    for syntax, rest in zip(syntaxes, range(1, 5), strict=True):
        compress_files([file for k, file in enumerate(plain) if k % 5 == rest], syntax)
    data = import_folders([tmp_path / "dicom"], "dicom")
    assert data.counts() == some["label"].value_counts().to_dict() and data.left_out.empty
    assert data.usable["patient"].nunique() == some["patient"].nunique()
    for path in data.usable["path"]:
        found = images.decode(Path(path).read_bytes()).grey().astype(int)
        assert np.abs(found - plain[path]).max() <= 1, path


def test_tutorial_arrays_import_with_the_same_labels(real, tmp_path):
    some = real.usable[::5]
    np.save(tmp_path / "X_all.npy", np.stack([images.load(Path(path), 64) for path in some["path"]]))
    np.save(tmp_path / "Y_all.npy", np.eye(3)[some["label"].map({label: k for k, label in enumerate(FOLDER)})])
    assert import_folders([tmp_path], "arrays").table["label"].tolist() == some["label"].tolist()


def test_audit_names_the_source_as_a_confounder(real):
    report = audit.run(real)
    first = report.issues[0]
    assert (first.kind, first.what) == ("confounder", "source")
    assert report.cramers_v["source"] == pytest.approx(1)
    probe = report.statistics_probe
    assert probe.accuracy.low > 0.75 and probe.border.low > probe.chance + 0.25
    assert not any("duplicate" in issue.kind for issue in report.issues)


def test_real_weights_classify_new_patients(real):
    """MobileNetV2 at a middle tap; far above chance (0.47), with a wide margin for the split."""
    made = run_config.make(dataset="real", backbone="mobilenetv2", tap="block_12_add", size=160)
    run = pipeline.run(made, runs.create(made).folder)
    assert run.metrics.n_test == pytest.approx(75, abs=8)
    assert run.metrics.test.accuracy.value > 0.85
    assert np.isfinite(run.heatmaps()).all()
