"""What the wheel and the source distribution hold."""

import importlib.metadata
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser

import pytest

import cxrcore
from cxrcore.errors import UserError
from cxrcore.sharing import package
from tests.conftest import ROOT

DASHBOARD = ("streamlit_app.py", "pages/", ".streamlit/config.toml", "requirements.txt")


def build(source, target, folder):
    """Build the sdist, the wheel or the editable wheel of a source tree; return the file."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (file,) = folder.iterdir()
    return file


def tracked(*paths):
    """Return the names of the files that Git tracks and that exist."""
    listing = subprocess.run(["git", "ls-files", *paths], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {name for name in listing.splitlines() if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as file:
        return set(file.namelist())


def test_wheel_holds_the_package_with_every_data_file(names):
    assert tracked("cxrcore") <= names
    for name in ("py.typed", "features/cxrtiny_notop.weights.h5", "features/lung_segmenter.tflite", "locale/pt_BR.po"):
        assert f"cxrcore/{name}" in names


def test_wheel_holds_the_dashboard(names):
    dashboard = {name for name in names if name.startswith("cxrcore/app/")}
    assert {f"cxrcore/app/{name}" for name in tracked(*DASHBOARD)} <= dashboard
    assert "cxrcore/app/pages/results.py" in dashboard


def test_wheel_holds_nothing_outside_the_package(names):
    assert {name.split("/")[0] for name in names} == {"cxrcore", f"cxrcore-{cxrcore.__version__}.dist-info"}


def test_metadata(wheel):
    folder = f"cxrcore-{cxrcore.__version__}.dist-info"
    with zipfile.ZipFile(wheel) as file:
        metadata = Parser().parsestr(file.read(f"{folder}/METADATA").decode())
        entry_points = file.read(f"{folder}/entry_points.txt").decode()
    assert (metadata["Name"], metadata["Version"]) == ("cxrcore", cxrcore.__version__)
    assert metadata["License-Expression"] == "MIT" and metadata["Requires-Python"] == "<3.14,>=3.11"
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert set(metadata.get_all("Provides-Extra")) == {"auth", "cluster", "openvino", "mlflow"}
    assert "cxr = cxrcore.cli:main" in entry_points


def test_wheel_built_from_the_sdist_is_the_same(sdist, wheel, names, tmp_path):
    with tarfile.open(sdist) as file:
        file.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    (tmp_path / "wheel").mkdir()
    with zipfile.ZipFile(build(source, "wheel", tmp_path / "wheel")) as file:
        assert set(file.namelist()) == names


def test_installed_package_is_packed_into_the_wheel_that_it_came_from(wheel, tmp_path):
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*command, "--target", str(tmp_path / "site"), str(wheel)], check=True)
    (tmp_path / "site" / "cxrcore" / "own.txt").touch()  # not of the package
    (installed,) = importlib.metadata.distributions(path=[str(tmp_path / "site")])
    added = {str(file) for file in installed.files} - _contents(wheel).keys()
    assert {name.split("/")[-1] for name in added} >= {"direct_url.json", "INSTALLER"}
    package.repack(installed, tmp_path / "packed")
    (packed,) = (tmp_path / "packed").iterdir()
    assert packed.name == wheel.name and _contents(packed) == _contents(wheel)


def _contents(wheel):
    """The content of each file of a wheel by its name; of its record, which is a table, the rows."""
    with zipfile.ZipFile(wheel) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    record = f"cxrcore-{cxrcore.__version__}.dist-info/RECORD"
    return contents | {record: sorted(contents[record].splitlines())}


def test_package_without_a_list_of_its_files_is_refused(tmp_path):
    (tmp_path / "cxrcore-1.dist-info").mkdir()
    with pytest.raises(UserError, match="install it with pip"):
        package.repack(importlib.metadata.PathDistribution(tmp_path / "cxrcore-1.dist-info"), tmp_path / "packed")


def test_editable_wheel_holds_no_copies_of_the_dashboard(tmp_path):
    with zipfile.ZipFile(build(ROOT, "wheel:editable", tmp_path)) as file:
        assert not [name for name in file.namelist() if name.startswith("cxrcore/")]


def test_every_requirement_is_locked():
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    text = (ROOT / "pyproject.toml").read_text()
    required = re.search(r"^dependencies = \[(.*?)^\]", text, re.MULTILINE | re.DOTALL)[1]
    assert set(re.findall(r'"([a-z0-9-]+)', required)) <= locked


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_locked_version_has_hashes_which_pip_compares(name):
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    assert [entry for entry in entries if not re.match(r"\S+==\S+.*--hash=sha256:[0-9a-f]{64}", entry, re.DOTALL)] == []
