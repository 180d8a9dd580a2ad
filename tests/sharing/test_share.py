"""`cxr share`: a folder with exactly the chosen runs, their pictures under neutral names, and the files of a server."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxrcore import runs, settings
from cxrcore.data import images
from cxrcore.data.errors import ImageError
from cxrcore.errors import UserError
from cxrcore.files import write_bytes
from cxrcore.sharing import folder as sharing
from cxrcore.sharing import package
from tests.conftest import ROOT

ENTRY = ROOT / "streamlit_app.py"


def _wheel(folder):
    """Write what takes the wheel's place; `tests/packaging` and the checks of installation make real ones."""
    folder.mkdir()
    (folder / "cxrcore-1-py3-none-any.whl").write_bytes(b"wheel")
    return folder / "cxrcore-1-py3-none-any.whl"


@pytest.fixture
def no_wheel(monkeypatch):
    monkeypatch.setattr(package, "wheel", _wheel)


@pytest.fixture
def shared(trained, tmp_path, no_wheel):
    trained.describe(title="Demo", note="Call Maria")
    target = tmp_path / "shared"
    sharing.write([trained], target, ENTRY)
    return target


def test_tables_name_pictures_by_their_hash(shared, trained, monkeypatch):
    old = trained.table
    monkeypatch.setenv("CXR_HOME", str(shared / "workspace"))
    monkeypatch.setenv("CXR_KEY_FILE", str(shared.parent / "other.key"))  # whoever gets the folder has no key
    run = runs.load(trained.name)
    table, predictions = run.table, run.predictions()
    assert run.shown and run.title == "Demo" and run.card.note == ""
    assert run.results == trained.results and (table["split"] == old["split"]).all()
    test = table[table["split"] == "test"]
    assert all(re.fullmatch(r"images/[0-9a-f]{16}\.png", path) for path in _relative(table["path"], shared))
    assert set(predictions["path"]) == set(test["path"]) and len(predictions) == 12
    first, before = test.iloc[0], old.iloc[test.index[0]]
    assert (images.display(Path(first["path"])) == images.display(Path(before["path"]))).all()
    assert images.known_mask(first["lungs"]).shape == (256, 256)
    assert table["patient"].nunique() == 30 and set(table["patient"]) >= {"patient 1", "patient 30"}
    assert set(table["source"]) == {"source 1"}
    n = table["split"].isin(["test", "validation"]).sum()
    assert len(list((shared / "workspace" / "images").iterdir())) == n


def test_nothing_tells_of_the_machine_that_trained_the_run(trained, tmp_path, no_wheel):
    process = {"pid": 4711, "pid_boot": "0f-boot", "host": "node-of-the-hospital"}
    trained.status.model_copy(update=process).write(trained.folder / "status.json")
    sharing.write([trained], tmp_path / "shared", ENTRY)
    (status,) = (tmp_path / "shared").glob("workspace/runs/*/status.json")
    assert "4711" not in status.read_text() and "boot" not in status.read_text().replace("pid_boot", "")
    assert "hospital" not in status.read_text()


def test_title_is_text_in_the_instructions(trained, tmp_path, no_wheel):
    trained.describe(title="![x](https://host.example/t.png)\r\n# <b>Demo</b> 1. 50% - a_b")
    sharing.write([trained], tmp_path / "shared", ENTRY)
    text = r"- !\[x\](https://host.example/t.png) \# \<b\>Demo\</b\> 1. 50% - a\_b"
    for name in ("README.md", "LEIA-ME.md"):
        assert text in (tmp_path / "shared" / name).read_text().splitlines()


def _relative(paths, shared):
    return [path.removeprefix(f"{shared / 'workspace'}/") for path in paths]


def test_folder_has_only_what_is_shown(shared, trained):
    names = {path.name for path in shared.iterdir()}
    assert names == {
        "workspace", "weights", "pages", ".streamlit", "streamlit_app.py", "requirements.txt", "package",
        *sharing.TEMPLATES,
    }  # fmt: skip
    assert {path.name for path in (shared / "workspace").iterdir()} == {"runs", "images", "lungs", "lesions"}
    kept = {path.name for path in (shared / "workspace" / "runs" / trained.name).iterdir()}
    assert not kept & {"log.txt", "notes.json", "vectors.npz", "tasks", "evaluations"}
    assert not [name for name in kept if name.startswith("state-")]
    for path in shared.rglob("*"):
        if path.is_file() and path.suffix not in (".keras", ".npy", ".npz", ".png"):
            content = path.read_bytes()
            assert b"covid_p" not in content and str(settings.home()).encode() not in content, path
            assert b"Maria" not in content, path


def _first_test_image(run, **values):
    table = run.table
    row = table.index[table["split"] == "test"][0]
    for name, value in values.items():
        table.loc[row, name] = str(value)
    run.write_table("table.parquet", table)


def test_large_images_are_reduced_and_masks_with_them(trained, tmp_path, no_wheel):
    write_bytes(tmp_path / "image.png", images.png(np.full((1200, 2400), 90, np.uint8)))
    write_bytes(tmp_path / "mask.png", images.png(np.ones((1200, 2400), bool)))
    _first_test_image(trained, path=tmp_path / "image.png", lungs=tmp_path / "mask.png", lesions="")
    sharing.write([trained], tmp_path / "shared", ENTRY)
    sizes = {Image.open(path).size for path in (tmp_path / "shared" / "workspace").glob("*/*.png")}
    assert sizes == {(256, 256), (1024, 512)}


def test_refuses_a_folder_with_content_and_unfinished_runs(trained, tmp_path, no_wheel):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(UserError, match="exists and is not empty"):
        sharing.write([trained], tmp_path / "full", ENTRY)
    trained.status.model_copy(update={"state": "stopped"}).write(trained.folder / "status.json")
    with pytest.raises(UserError, match="has not finished"):
        sharing.write([trained], tmp_path / "new", ENTRY)
    assert not (tmp_path / "new").exists()


def test_failure_leaves_nothing_behind(trained, tmp_path, no_wheel):
    _first_test_image(trained, path=tmp_path / "missing.png")
    before = set(tmp_path.iterdir())
    with pytest.raises(ImageError):
        sharing.write([trained], tmp_path / "shared", ENTRY)
    assert set(tmp_path.iterdir()) == before


def test_empty_folder_is_used(trained, tmp_path, no_wheel):
    (tmp_path / "shared").mkdir()
    sharing.write([trained], tmp_path / "shared", ENTRY)
    assert (tmp_path / "shared" / "requirements.txt").exists()


def test_every_package_to_install_has_a_version_and_a_hash(shared):
    """What pip installs without hashes may be anybody's; the lock is beside the dashboard, also in the wheel."""
    text = (shared / "requirements.txt").read_text()
    assert text.startswith((ROOT / "requirements.txt").read_text())
    digest = hashlib.sha256(b"wheel").hexdigest()
    assert text.splitlines()[-1] == f"./package/cxrcore-1-py3-none-any.whl --hash=sha256:{digest}"
    packages = [part for part in re.split(r"\n(?=[a-z.])", re.sub(r"(?m)^ *#.*\n?", "", text)) if part.strip()]
    assert len(packages) > 50
    assert all(" --hash=sha256:" in part and re.match(r"\./package/|[\w.-]+(\[\w+\])?==", part) for part in packages)


def test_package_outside_a_checkout_is_packed(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "source_checkout", lambda: None)
    monkeypatch.setattr(package, "repack", lambda installed, folder: _wheel(folder))
    assert package.wheel(tmp_path / "packed").read_bytes() == b"wheel"
