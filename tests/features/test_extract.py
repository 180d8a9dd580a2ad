"""From images to cached features."""

import hashlib
import resource
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrcore.data.images import load
from cxrcore.errors import Stopped, UserError
from cxrcore.features import extract, store
from cxrcore.features.extract import BATCH, ExtractionCallbacks
from cxrcore.features.key import FeatureKey
from cxrcore.features.store import Store
from cxrcore.features.weights import Weights

KEY = FeatureKey("cxrtiny", "random-3", 64, "unit", "block3b_out")
WEIGHTS = Weights(None, "random-3", 3)


@pytest.fixture(scope="module")
def model():
    return KEY.build(WEIGHTS)


@pytest.fixture
def table(save):
    rows = []
    for k in range(BATCH + 3):
        pixels = np.random.default_rng(k).integers(0, 256, (40, 50), dtype=np.uint8)
        path = save(f"{k}.png", pixels)
        rows.append({"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    return pd.DataFrame(rows)


def _never():
    raise AssertionError("the backbone was built although everything is kept")


def test_activations_are_those_of_the_model_in_the_order_of_the_table(table, model):
    kept = extract.activations(table, KEY, WEIGHTS, lambda: model)
    pixels = np.stack([load(path, 64) for path in map(Path, table["path"])])
    expected = model.predict(pixels, verbose=0)
    assert kept.rows(range(len(table))) == pytest.approx(expected, abs=1e-5)
    assert kept.rows([4, 0]) == pytest.approx(expected[[4, 0]], abs=1e-5)


def test_kept_activations_are_not_computed_again(table, model):
    first = extract.activations(table, KEY, WEIGHTS, lambda: model).rows([0])
    again = extract.activations(table.iloc[::-1], KEY, WEIGHTS, _never)
    assert (again.rows([len(table) - 1]) == first).all()


def test_only_missing_activations_are_computed(table, model):
    extract.activations(table.head(3), KEY, WEIGHTS, lambda: model)
    seen = []
    callbacks = ExtractionCallbacks(progress=lambda *report: seen.append(report))
    extract.activations(table, KEY, WEIGHTS, lambda: model, callbacks)
    assert seen[-1] == (len(table) - 3, len(table) - 3)


def test_repeated_image_is_computed_once(table, model):
    doubled = pd.concat([table.head(2), table.head(2)])
    seen = []
    callbacks = ExtractionCallbacks(progress=lambda *report: seen.append(report))
    kept = extract.activations(doubled, KEY, WEIGHTS, lambda: model, callbacks)
    assert seen == [(2, 2)]
    assert (kept.rows([0]) == kept.rows([2])).all()


def test_stop_keeps_what_was_computed(table, model):
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        extract.activations(table, KEY, WEIGHTS, lambda: model, ExtractionCallbacks(check=check))
    assert len(Store(KEY).missing(table["sha256"])) == 3


@pytest.fixture
def small_disk():
    """Let no file grow over 20 kB: writing more fails as on a full disk, in NumPy's own code."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_full_disk_is_a_user_error_and_leaves_no_file(table, model, small_disk):
    with pytest.raises(UserError, match=r"Could not write .*\.npy: .*Free some space"):
        extract.activations(table, KEY, WEIGHTS, lambda: model)
    assert list(Store(KEY).folder.glob("*.npy")) == []
    assert len(Store(KEY).missing(table["sha256"])) == len(table)


def test_missing_image(table, model):
    Path(table["path"][1]).unlink()
    with pytest.raises(UserError, match=r"1\.png could be read when it was imported, but not now"):
        extract.activations(table, KEY, WEIGHTS, lambda: model)


def test_image_with_another_content(table, model, save):
    save("1.png", np.zeros((40, 50), np.uint8))
    with pytest.raises(UserError, match=r"1\.png could be read .* its content has changed"):
        extract.activations(table, KEY, WEIGHTS, lambda: model)


def test_activations_are_written_every_few_seconds(table, model, monkeypatch):
    monkeypatch.setattr(extract, "FLUSH_SECONDS", 0)
    extract.activations(table, KEY, WEIGHTS, lambda: model)
    assert len(list(Store(KEY).folder.glob("*.npy"))) == 2


def test_large_set_is_written_in_shards_and_read_as_memory_maps(table, model, monkeypatch):
    monkeypatch.setattr(extract, "SHARD_BYTES", 1)
    kept = extract.activations(table, KEY, WEIGHTS, lambda: model)
    assert len(list(Store(KEY).folder.glob("*.npy"))) == 2
    assert isinstance(kept._open(1), np.memmap)
    assert [list(part) for part in kept.chunks(np.arange(3))] == [[0, 1, 2]]
    monkeypatch.setattr(store, "CHUNK_BYTES", 1)
    assert [list(part) for part in kept.chunks(np.arange(3))] == [[0], [1], [2]]
    assert kept.rows(range(len(table))).shape == (len(table), *kept.map_shape)


def test_index_of_a_shard_is_read_once(table, model, monkeypatch):
    extract.activations(table, KEY, WEIGHTS, lambda: model)
    monkeypatch.setattr(store, "read_text", lambda path: 1 / 0)
    assert Store(KEY).missing(["other", *table["sha256"]]) == ["other"]


def test_shard_without_its_index_does_not_count(table, model):
    extract.activations(table, KEY, WEIGHTS, lambda: model)
    next(Store(KEY).folder.glob("*.index")).unlink()
    assert len(Store(KEY).missing(table["sha256"])) == len(table)
