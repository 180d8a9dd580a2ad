"""`cxr runs export` and `cxr runs import`: a run comes back as it was, and a hostile file leaves nothing behind."""

import io
import json
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrcore import runs, settings
from cxrcore.data import archive
from cxrcore.errors import UserError
from cxrcore.features.keras_setup import keras
from cxrcore.jobs.worker_pool import WorkerPool
from cxrcore.progress import ignore
from cxrcore.runs import Run
from cxrcore.sharing import archives
from tests.jobs import pool_functions


class PoolInProcess:
    """Calls in this process: a worker needs seconds to load TensorFlow."""

    def __init__(self, workers, most_bytes):
        pass

    def call(self, function, *args):
        return function(*args, progress=ignore)

    def close(self):
        pass


@pytest.fixture
def no_worker(monkeypatch):
    monkeypatch.setattr(archives, "WorkerPool", PoolInProcess)
    monkeypatch.setattr(archives, "_limit_memory", lambda: None)


@pytest.fixture
def exported(trained, tmp_path):
    """The archive of a run that is not in the workspace any more."""
    archives.export(trained, tmp_path / "run.zip")
    shutil.rmtree(trained.folder)
    return tmp_path / "run.zip"


def unpacked(file):
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(file, content):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in content.items():
            archive.writestr(name, value)


def test_archive_is_closed_after_the_import(exported, monkeypatch):
    made = []

    whole = archive.opened
    monkeypatch.setattr(archive, "opened", lambda source: made.append(source) or whole(source))
    archives.import_run(exported)
    assert [file.closed for file in made] == [True]


def test_round_trip_keeps_results_and_nothing_else(trained, tmp_path, home):
    trained.describe(title="Demo", tags=["a"], note="Call Maria")
    file = tmp_path / "run.zip"
    archives.export(trained, file)
    assert not any(b"Maria" in value or str(home).encode() in value for value in unpacked(file).values())
    before = trained.predictions()
    found = archives.import_run(file)
    assert found.name.startswith(f"{trained.name}-") and len(runs.listing()) == 2  # its own name is taken
    assert found.results == trained.results and found.epochs == trained.epochs and found.title == "Demo"
    columns = ["sha256", "label", "predicted", "correct", *(f"p_{name}" for name in trained.classes)]
    pd.testing.assert_frame_equal(found.predictions()[columns], before[columns])
    assert (found.heatmaps() == trained.heatmaps()).all() and found.config == trained.config
    assert found.status.pid == -1 and not found.shown and found.card.note == ""
    images = f"{home}/runs/{found.name}/images/"
    assert all(path.startswith(images) for path in found.table["path"]) and not found.table["lungs"].any()
    assert not (found.folder / "images").exists()
    assert {path.name for path in (home / "runs").iterdir()} == {trained.name, found.name}


def test_intervals_are_those_of_the_predictions(trained, tmp_path):
    exported, results = tmp_path / "run.zip", trained.results
    archives.export(trained, exported)
    content = unpacked(exported)
    (name,) = (name for name in content if name.endswith("/metrics.json"))
    content[name] = json.dumps(json.loads(content[name])).encode()
    changed = {"low": 0.999, "high": 1.0}
    edited(name, test__accuracy={**json.loads(content[name])["test"]["accuracy"], **changed})(content)
    edited(name, test__macro_f1={"value": 1.0, "low": 1.0, "high": 1.0, "n": 12}, test__patients=9999)(content)
    pack(exported, content)
    found = archives.import_run(exported)
    assert found.results.test == results.test and results.test.accuracy.low < 0.9 and results.test.patients < 13


def replaced(name, value):
    """Replace a file of the archive."""
    return lambda files: files.update({name: value})


def edited(name, **values):
    """Change values of a JSON file, dotted names with `__`."""

    def change(files):
        content = json.loads(files[name])
        for path, value in values.items():
            *parents, last = path.split("__")
            inner = content
            for parent in parents:
                inner = inner[parent]
            inner[last] = value
        files[name] = json.dumps(content).encode()

    return change


def table(name, **columns):
    """Change columns of a table."""

    def change(files):
        found = pd.read_parquet(io.BytesIO(files[name])).assign(**columns)
        files[name] = found.to_parquet()

    return change


def array(values):
    target = io.BytesIO()
    np.save(target, values, allow_pickle=True)
    return replaced("heatmaps.npy", target.getvalue())


def model(*layers):
    """Replace the model by one whose input has the shape of the run's features."""

    def change(files):
        pixels = found = keras.Input((8, 8, 48))
        for layer in layers:
            found = layer(found)
        network = keras.Model(pixels, found)
        with tempfile.TemporaryDirectory() as folder:
            network.save(f"{folder}/head.keras")
            files["head.keras"] = Path(folder, "head.keras").read_bytes()

    return change


def npz(**arrays):
    target = io.BytesIO()
    np.savez(target, **arrays)
    return replaced("novelty.npz", target.getvalue())


FLAT = dict.fromkeys(("axes",), np.ones((1, 3))) | {"variances": np.ones(1), "ridge": 1.0, "limit": 1.0}
FLAT |= {"alarms": 0, "tested": 1}
# What is changed in an archive, files by their name without the folder, and what the refusal says.
HOSTILE = {
    "missing config": (lambda files: files.pop("config.json"), "config.json are missing"),
    "extra file": (replaced("state-1.npz", b"x"), "state-1.npz' is not a file of an exported run"),
    "log": (replaced("log.txt", b"x"), "log.txt' is not a file of an exported run"),
    "folder below": (replaced("images/head.keras", b"x"), "or there twice"),
    "weights file": (edited("config.json", weights="file", weights_file="/proc/kmsg"), "config.json"),
    "dataset outside": (edited("config.json", dataset="../../etc"), "config.json: A dataset's name"),
    "unknown setting": (edited("config.json", evil=1), "config.json is damaged"),
    "one class": (edited("about.json", classes=["a"]), "A dataset needs 2"),
    "running": (edited("status.json", state="running"), "has not finished"),
    "long title": (replaced("card.json", json.dumps({"title": "x" * 201}).encode()), "longer than 200"),
    "huge JSON": (replaced("metrics.json", b" " * (2**22 + 1)), "metrics.json' unpacks to over 4 MB"),
    "bomb": (replaced("novelty.npz", b"\0" * (2**26 + 1)), "unpacks to over 64 MB"),
    "deep JSON": (replaced("metrics.json", b"[" * 100_000), "metrics.json is damaged"),
    "NaN": (edited("metrics.json", test__accuracy__value=float("nan")), "metrics.json is damaged"),
    "infinity": (replaced("metrics.json", b'{"n_test": 1e999}'), "metrics.json is damaged"),
    "negative": (edited("metrics.json", n_train=-1), "metrics.json is damaged"),
    "other accuracy": (edited("metrics.json", test__accuracy__value=0.123), "not that of the predictions"),
    "newer": (edited("about.json", schema_version=99), "about.json is damaged, or was written by .* a newer version"),
    "no table": (replaced("table.parquet", b"PAR1"), "table.parquet is damaged"),
    "unknown column": (table("table.parquet", evil="x"), "unknown columns: evil"),
    "long text": (table("table.parquet", view="x" * 201), "table.parquet is damaged"),
    "bytes in a table": (table("table.parquet", view=b"x"), "table.parquet is damaged"),
    "other class": (table("table.parquet", label="x"), "table.parquet is damaged"),
    "hash with a path": (table("table.parquet", sha256="../../../etc/passwd"), "table.parquet is damaged"),
    "infinite probability": (table("predictions.parquet", correct=True, predicted="x"), "predictions.parquet"),
    "unknown patient": (table("predictions.parquet", patient="x"), "predictions.parquet is damaged"),
    "pickle": (array(np.array([{}], object)), "heatmaps.npy is damaged"),
    "other shape": (array(np.zeros((12, 9, 2, 2), np.float32)), "heatmaps.npy is damaged"),
    "pickle in npz": (npz(centre=np.array([{}], object), **FLAT), "novelty.npz is damaged"),
    "npz of other shapes": (npz(centre=np.ones(5), **FLAT), "novelty.npz is damaged"),
    "Lambda": (model(keras.layers.Lambda(lambda x: x)), "Lambda"),
    "wrong output": (model(keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(7)), "expected a probability"),
    "huge layer": (
        model(keras.layers.ZeroPadding2D(2000), keras.layers.GlobalAveragePooling2D()),
        "ZeroPadding2D|zero_p",
    ),
    "other number of images": (edited("metrics.json", n_test=11), "metrics.json is damaged"),
    "huge count": (edited("metrics.json", kept_epoch=10**10), "metrics.json is damaged"),
    "huge integer": (edited("metrics.json", test__accuracy__n=10**30), "metrics.json is damaged"),
    "time that is no date": (edited("status.json", created=1e15), "status.json is damaged"),
    "no model": (lambda files: files.pop("head.keras"), "head.keras: Run .* has no model"),
}


def refused(file, reason):
    with pytest.raises(UserError, match=reason) as caught:
        archives.import_run(file)
    assert str(settings.home()) not in str(caught.value)
    assert not list((settings.home() / "runs").iterdir())


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_content_is_refused_and_leaves_nothing(exported, kind, no_worker):
    change, reason = HOSTILE[kind]
    content = {name.partition("/")[2]: value for name, value in unpacked(exported).items()}
    change(content)
    pack(exported, {f"run/{name}": value for name, value in content.items()})
    refused(exported, reason)


NAMES = {
    "../config.json": "outside its folder",
    "/etc/cron.d/config.json": "outside its folder",
    "run\\..\\config.json": "outside its folder",
    "C:/config.json": "outside its folder",
    "../run/config.json": "outside its folder",
    "other/card.json": "there twice|expected one folder",
    "run/config.json": "there twice",
    "run/run.zip": "not a file of an exported run",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_of_entries(exported, name, no_worker):
    content = {f"run/{path.partition('/')[2]}": value for path, value in unpacked(exported).items()}
    pack(exported, content)
    with zipfile.ZipFile(exported, "a") as archive:
        entry = zipfile.ZipInfo("x")
        entry.filename = name  # the constructor would change a backslash on Windows
        archive.writestr(entry, b"{}")
    refused(exported, NAMES[name])


@pytest.mark.parametrize("run", ["..", ".trash", ".new-x", "a" * 101, "a/b", "-a", ""])
def test_names_of_runs(exported, run, no_worker):
    content = {f"{run}/{path.partition('/')[2]}".lstrip("/"): value for path, value in unpacked(exported).items()}
    pack(exported, content)
    refused(exported, "outside its folder|expected one folder with the name of a run")


def test_links_and_files_that_are_no_archive(exported, no_worker):
    with zipfile.ZipFile(exported, "a") as archive:
        link = zipfile.ZipInfo("run/card.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    refused(exported, "is a link")
    for content in (b"", b"PK\x05\x06", b"x" * 1000):
        exported.write_bytes(content)
        refused(exported, "cannot be opened as a ZIP")
    refused(exported.with_name("absent.zip"), "cannot be opened as a ZIP")


def test_list_of_entries_has_a_limit(exported, no_worker):
    with zipfile.ZipFile(exported, "w") as archive:
        for number in range(550):
            archive.writestr(f"run/{number}".ljust(63_000, "x"), b"")
    refused(exported, "its list of entries has over 32 MB")


def test_paths_in_tables_are_not_followed(exported, no_worker, home):
    content = unpacked(exported)
    folder = next(iter(content)).partition("/")[0]
    for name in ("table", "predictions"):
        file = f"{folder}/{name}.parquet"
        found = pd.read_parquet(io.BytesIO(content[file]))
        content[file] = found.assign(path="/etc/passwd", lungs="/etc/passwd", lesions="../../x").to_parquet()
    pack(exported, content)
    run = archives.import_run(exported)
    assert run.name == folder
    for found in (run.table, run.predictions()):
        assert found["path"].str.startswith(f"{run.folder}/images/").all()
        assert not found["lungs"].any() and not found["lesions"].any()


def test_worker_has_limited_memory():
    pool = WorkerPool(1, archives.MEMORY)
    try:
        with pytest.raises(MemoryError):
            pool.call(pool_functions.reserve, archives._limit_memory, 2 * archives.MEMORY)
    finally:
        pool.close()


def test_run_with_weights_from_a_file_is_not_exported(trained, tmp_path):
    (trained.folder / "config.json").write_text(
        json.dumps(trained.requested.plain() | {"weights": "file", "weights_file": str(tmp_path / "x.weights.h5")})
    )
    with pytest.raises(UserError, match="weights from a file"):
        archives.export(Run(trained.folder), tmp_path / "run.zip")
    assert not (tmp_path / "run.zip").exists()
