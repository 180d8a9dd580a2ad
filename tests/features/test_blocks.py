"""Blocks of images as tasks of a cluster, and the weights as a worker has them."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrcore import cluster
from cxrcore.errors import UserError
from cxrcore.features import backbones, blocks, extract, image_transforms, weights
from cxrcore.features.augmentation import AugmentationRanges
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS
from cxrcore.features.extract import ExtractionCallbacks
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Store
from cxrcore.features.weights import Weights

KEY = FeatureKey("cxrtiny", "random-3", 64, "unit", "block3b_out")
WEIGHTS = Weights(None, "random-3", 3)
CXRTINY = backbones.get("cxrtiny")


def _block(count):
    rows = pd.DataFrame({"path": [f"{k}.png" for k in range(count)], "label": "A"}, index=map(str, range(count)))
    return blocks.block([KEY], WEIGHTS, rows)


@pytest.mark.parametrize(
    ("images", "at_once", "sizes"),
    [
        (300, 3, [32] * 9 + [12]),  # 25 each would be twelve blocks; the next multiple of 8 is 32
        (300, 0, [80, 80, 80, 60]),
        (3000, 2, [256] * 11 + [184]),
        (3, 2, [3]),
    ],
)
def test_sizes_of_blocks(home, images, at_once, sizes):
    whole = _block(images)
    parts = list(whole.split(at_once, 8))
    assert [len(part.rows) for part in parts] == sizes
    assert list(pd.concat([part.rows for part in parts]).index) == list(whole.rows.index)


def test_block_holds_no_labels_and_its_text_no_names_of_files(home):
    assert list(_block(2).rows.columns) == ["path"]
    assert "0.png" not in str(_block(2))


def test_worker_of_another_version(home, monkeypatch):
    call = cluster._Call(len)
    monkeypatch.setattr(cluster, "__version__", "0.0.1")
    with pytest.raises(UserError, match=r"has version 0\.0\.1 of this program, not \d"):
        call([1, 2])


def test_worker_of_another_workspace(home, monkeypatch, tmp_path):
    call = cluster._Call(len)
    monkeypatch.setenv("CXR_HOME", str(tmp_path / "other"))
    with pytest.raises(UserError, match=f"uses the workspace {tmp_path / 'other'}, not {home}"):
        call([1, 2])


def test_files_that_another_machine_wrote_are_waited_for(home, monkeypatch):
    whole, store = _block(1), Store(KEY)
    monkeypatch.setattr(extract, "FILES_SECONDS", 0)
    with pytest.raises(UserError, match=f"those of 1 images are not in {home / 'features'}"):
        extract._wait_for_files([store], whole, ExtractionCallbacks())
    monkeypatch.setattr(extract, "FILES_SECONDS", 60)
    monkeypatch.setattr(extract, "sleep", lambda seconds: store.folder.mkdir(parents=True) or _write_index(store))
    extract._wait_for_files([store], whole, ExtractionCallbacks())


def _write_index(store):
    (store.folder / "shard.index").write_text('["0"]')


@pytest.fixture
def table(save):
    """Images with masks of their lungs, which are the middle of each."""
    rows = []
    for k in range(11):
        path = save(f"{k}.png", np.random.default_rng(k).integers(0, 256, (40, 50), dtype=np.uint8))
        lungs = save(f"lungs/{k}.png", np.pad(np.full((20, 20 + k), 255, np.uint8), ((10, 10), (10, 20 - k))))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({"path": str(path), "sha256": digest, "lungs": str(lungs), "label": "A"})
    return pd.DataFrame(rows)


AUGMENTED = replace(KEY, view=1, ranges=AugmentationRanges(10, 0.1, 0.1, 0.2))
INSIDE = replace(KEY, image_transform="only-lungs", lungs=image_transforms.LUNGS_FROM_FILES)


@pytest.mark.parametrize("key", [AUGMENTED, INSIDE], ids=["augmented", "lungs from files"])
def test_block_gives_the_activations_of_its_key(home, table, key, monkeypatch, tmp_path):
    expected = extract.activations(table, key, WEIGHTS, lambda: key.build(WEIGHTS)).rows(range(11))
    monkeypatch.setenv("CXR_HOME", str(tmp_path / "other"))
    assert extract.compute_block(blocks.block([key], WEIGHTS, table.set_index("sha256"))) == 11
    assert (Store(key).read(list(table["sha256"])).rows(range(11)) == expected).all()


def test_block_computes_only_what_is_not_kept_meanwhile(home, table):
    whole = blocks.block([KEY], WEIGHTS, table.set_index("sha256"))
    extract.compute_block(replace(whole, rows=whole.rows.head(4)))
    assert extract.compute_block(whole) == 11
    assert extract.compute_block(whole) == 11
    assert sorted(len(json.loads(path.read_text())) for path in Store(KEY).folder.glob("*.index")) == [4, 7]


def test_weights_of_a_worker_are_those_with_the_same_content(home, tmp_path, monkeypatch):
    monkeypatch.setenv("CXR_WEIGHTS_DIR", str(tmp_path))
    own = weights.resolve(CXRTINY, "bundled")
    elsewhere = Weights(Path("/not/here/cxrtiny_notop.weights.h5"), own.digest, state=(1, 2, 3))
    assert weights.on_this_machine(elsewhere, CXRTINY) == own
    copied = shutil.copy(BUNDLED_WEIGHTS, tmp_path / "copy.weights.h5")
    named = weights.resolve(CXRTINY, "file", copied)
    assert weights.on_this_machine(Weights(copied, named.digest), CXRTINY) == named
    assert weights.on_this_machine(WEIGHTS, CXRTINY) == WEIGHTS
    with pytest.raises(UserError, match=r"does not have the same weights of CXRTiny \(copy\.weights\.h5\)"):
        weights.on_this_machine(Weights(copied, "another"), CXRTINY)
