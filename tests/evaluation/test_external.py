"""A run on other data."""

import json
import shutil

import pandas as pd
import pytest

from cxrcore.data import dataset, editing
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.errors import UserError
from cxrcore.evaluation import external


def test_a_run_on_other_phantoms_keeps_its_own_result(trained):
    phantoms.create("other", patients=4, images=2, seed=99)
    before = trained.metrics
    found = external.evaluate(trained, "other")
    assert found["n"] == 24 and found["dataset"] == "other" and trained.metrics == before
    assert external.kept(trained) == [found]
    internal = before["accuracy"]["value"]
    assert found["drop"]["value"] == pytest.approx(internal - found["accuracy"]["value"])
    assert found["drop"]["ci95"][0] <= found["drop"]["value"] <= found["drop"]["ci95"][1]
    assert f"({found['accuracy']['successes']} of 24)" in found["sentence"]


def _again(name, like):
    """The phantoms of `like` under another name: the same pictures."""
    source, copy = dataset.load(like), dataset.load(like).folder.parent / name
    shutil.copytree(source.folder, copy)


def test_its_own_data_are_not_elsewhere(trained):
    with pytest.raises(UserError, match="phantom is what this run learned from"):
        external.evaluate(trained, "phantom")
    _again("copy", "phantom")
    with pytest.raises(UserError, match="0 are of classes it does not know, 60 it has seen"):
        external.evaluate(trained, "copy")


def test_phantoms_are_never_a_test_elsewhere_and_other_sources_are(trained, home):
    phantoms.create("other", patients=3, images=1, seed=99)
    assert external.evaluate(trained, "other")["elsewhere"] is False
    about = dataset.load("other").about
    (home / "datasets" / "other" / "dataset.json").write_text(json.dumps(about | {"phantom": None}))
    table = pd.read_parquet(home / "datasets" / "other" / "table.parquet")
    assert external.evaluate(trained, "other")["elsewhere"] is False  # the same source
    table.assign(source="a hospital").to_parquet(home / "datasets" / "other" / "table.parquet")
    assert external.evaluate(trained, "other")["elsewhere"] is True


def test_classes_that_are_not_there_are_said(trained):
    phantoms.create("other", patients=3, images=1, seed=99)
    rows = dataset.load("other").table
    editing.exclude("other", list(rows["row"][rows["label"] == "COVID"]))
    found = external.evaluate(trained, "other")
    assert found["absent_classes"] == ["COVID"] and found["by_class"]["COVID"]["recall"]["value"] is None


def test_an_unknown_dataset_is_an_error(trained):
    with pytest.raises(UserError, match="There is no dataset 'nowhere'"):
        external.evaluate(trained, "nowhere")
