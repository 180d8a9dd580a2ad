import hashlib
import resource
import signal

import numpy as np
import pandas as pd
import pytest

from cxrcore.data.images import load
from cxrcore.errors import Stopped, UserError
from cxrcore.features import extract, store
from cxrcore.features.config import FeatureSpec
from cxrcore.features.extract import BATCH, Hooks
from cxrcore.features.store import Store
from cxrcore.features.weights import Weights

SPEC = FeatureSpec("cxrtiny", "random-3", 64, "unit", "block3b_out")


@pytest.fixture(scope="module")
def model():
    return SPEC.build(Weights(None, "random-3", 3))


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


def test_activations_are_the_models_own_in_the_tables_order(table, model):
    kept = extract.activations(table, SPEC, lambda: model)
    pixels = np.stack([load(path, 64) for path in map(_path, table["path"])])
    expected = model.predict(pixels, verbose=0)
    assert kept.rows(range(len(table))) == pytest.approx(expected, abs=1e-5)
    assert kept.rows([4, 0]) == pytest.approx(expected[[4, 0]], abs=1e-5)


def test_what_is_kept_is_not_computed_again(table, model):
    first = extract.activations(table, SPEC, lambda: model).rows([0])
    again = extract.activations(table.iloc[::-1], SPEC, _never)
    assert (again.rows([len(table) - 1]) == first).all()


def test_only_what_is_missing_is_computed(table, model):
    extract.activations(table.head(3), SPEC, lambda: model)
    seen = []
    extract.activations(table, SPEC, lambda: model, Hooks(progress=lambda done, total: seen.append((done, total))))
    assert seen[-1] == (len(table) - 3, len(table) - 3)


def test_the_same_image_twice_is_computed_once(table, model):
    doubled = pd.concat([table.head(2), table.head(2)])
    seen = []
    kept = extract.activations(doubled, SPEC, lambda: model, Hooks(progress=lambda *pair: seen.append(pair)))
    assert seen == [(2, 2)]
    assert (kept.rows([0]) == kept.rows([2])).all()


def test_stopping_keeps_what_was_done(table, model):
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        extract.activations(table, SPEC, lambda: model, Hooks(check=check))
    assert len(Store(SPEC).missing(table["sha256"])) == 3


@pytest.fixture
def small_disk():
    """Let no file grow over 20 kB: writing more fails as on a full disk, in NumPy's own code."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_is_a_clear_message_and_leaves_no_half_file(table, model, small_disk):
    with pytest.raises(UserError, match=r"Could not write .*\.npy: .*Free some space"):
        extract.activations(table, SPEC, lambda: model)
    assert list(Store(SPEC).folder.glob("*.npy")) == []
    assert len(Store(SPEC).missing(table["sha256"])) == len(table)


def test_an_image_that_is_gone_is_named(table, model):
    _path(table["path"][1]).unlink()
    with pytest.raises(UserError, match=r"1\.png could be read when it was imported, but not now"):
        extract.activations(table, SPEC, lambda: model)


def test_another_picture_under_the_same_name_is_not_kept_under_the_old_hash(table, model, save):
    save("1.png", np.zeros((40, 50), np.uint8))
    with pytest.raises(UserError, match=r"1\.png could be read .* another picture"):
        extract.activations(table, SPEC, lambda: model)


def test_what_is_done_is_written_every_few_seconds(table, model, monkeypatch):
    monkeypatch.setattr(extract, "FLUSH_SECONDS", 0)
    extract.activations(table, SPEC, lambda: model)
    assert len(list(Store(SPEC).folder.glob("*.npy"))) == 2


def test_large_sets_are_written_in_shards_and_read_as_memory_maps(table, model, monkeypatch):
    monkeypatch.setattr(extract, "SHARD_BYTES", 1)
    kept = extract.activations(table, SPEC, lambda: model)
    assert len(list(Store(SPEC).folder.glob("*.npy"))) == 2
    assert isinstance(kept._open(1), np.memmap)
    assert [list(part) for part in kept.chunks(np.arange(3))] == [[0, 1, 2]]
    monkeypatch.setattr(store, "CHUNK_BYTES", 1)
    assert [list(part) for part in kept.chunks(np.arange(3))] == [[0], [1], [2]]
    assert kept.rows(range(len(table))).shape == (len(table), *kept.map_shape)


def test_a_shard_without_its_index_does_not_count(table, model):
    extract.activations(table, SPEC, lambda: model)
    next(Store(SPEC).folder.glob("*.index")).unlink()
    assert len(Store(SPEC).missing(table["sha256"])) == len(table)


def _path(text):
    from pathlib import Path

    return Path(text)
