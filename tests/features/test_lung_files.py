"""The lungs of image files as mask files: names, sizes, the table, and what cannot be read."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrcore.data.images import load_mask
from cxrcore.data.phantom.images import PhantomSpec, generate
from cxrcore.errors import UserError
from cxrcore.features import lung_files


@pytest.fixture
def phantom():
    return generate(PhantomSpec("NORMAL", 0, 0), seed=3)


@pytest.fixture
def folder(tmp_path, phantom):
    """Two images of one name, wide and tall; one in a subfolder; one that is damaged; a text."""
    picture = Image.fromarray(phantom.image)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    picture.resize((400, 300)).save(tmp_path / "in" / "a.jpg")
    picture.resize((200, 260)).save(tmp_path / "in" / "a.png")
    picture.save(tmp_path / "in" / "sub" / "b.png")
    (tmp_path / "in" / "damaged.png").write_bytes(b"no image")
    (tmp_path / "in" / "notes.txt").write_text("no image either")
    return tmp_path / "in"


def test_masks_have_the_names_and_sizes_of_their_images(folder, phantom, tmp_path):
    found = lung_files.write([folder], tmp_path / "out")
    table = found.table.set_index("image")
    assert table["mask"].to_dict() == {
        "a.jpg": "a.png",
        "a.png": "a.png.png",
        "damaged.png": "",
        "sub/b.png": "sub/b.png",
    }
    assert (found.masks, found.accepted) == (3, 3) and not table.loc["damaged.png", "accepted"]
    sizes = {name: Image.open(tmp_path / "out" / name).size for name in ("a.png", "a.png.png", "sub/b.png")}
    assert sizes == {"a.png": (400, 300), "a.png.png": (200, 260), "sub/b.png": phantom.image.shape}
    assert Image.open(tmp_path / "out" / "a.png").mode == "1"
    mask, truth = load_mask(tmp_path / "out" / "sub" / "b.png"), phantom.lungs > 0
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.9
    assert (pd.read_csv(tmp_path / "out" / "lungs.csv")["confidence"] > 0.85).sum() == 3


def test_single_images_and_masks_that_were_written_before(folder, tmp_path):
    inside = folder / "masks"
    assert len(lung_files.write([folder / "a.jpg", folder / "sub"], inside).table) == 2
    assert len(lung_files.write([folder], inside).table) == 4, "the masks in the folder are no images"


def test_images_of_one_name_in_several_folders_have_masks_of_their_own(tmp_path, phantom):
    for name in ("x", "y", "z"):
        (tmp_path / name).mkdir()
        Image.fromarray(phantom.image).save(tmp_path / name / "a.png")
    table = lung_files.write([tmp_path / name for name in ("x", "y", "z")], tmp_path / "out").table
    assert list(table["mask"]) == ["a.png", "a.png.png", "a.png (2).png"]
    assert len(list((tmp_path / "out").glob("*.png"))) == 3


def test_name_that_a_spreadsheet_would_compute(tmp_path, phantom):
    Image.fromarray(phantom.image).save(tmp_path / "=1+1.png")
    lung_files.write([tmp_path / "=1+1.png"], tmp_path / "out")
    written = pd.read_csv(tmp_path / "out" / "lungs.csv").iloc[0]
    assert (written["image"], written["mask"]) == ("'=1+1.png", "'=1+1.png")


def test_no_image(tmp_path):
    with pytest.raises(UserError, match="no image"):
        lung_files.write([tmp_path], tmp_path / "out")


def test_refused_mask_is_written_and_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (90, 120), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    (row,) = lung_files.write([tmp_path / "noise.png"], tmp_path / "out").table.to_dict("records")
    assert not row["accepted"] and row["problem"] and (tmp_path / "out" / row["mask"]).is_file()
