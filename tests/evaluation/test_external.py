"""A run on other data."""

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


def test_images_that_it_learned_from_are_not_tested_on(trained):
    found = external.evaluate(trained, "phantom")
    tested = trained.predictions("test")
    assert found["n"] == len(tested) and found["known_images"] == 60 - len(tested)
    assert found["accuracy"]["value"] == trained.metrics["accuracy"]["value"]  # the same images, from raw pixels


def test_classes_that_are_not_there_are_said(trained):
    phantoms.create("other", patients=3, images=1, seed=99)
    rows = dataset.load("other").table
    editing.exclude("other", list(rows["row"][rows["label"] == "COVID"]))
    found = external.evaluate(trained, "other")
    assert found["absent_classes"] == ["COVID"] and found["by_class"]["COVID"]["recall"]["value"] is None


def test_nothing_to_test_on_is_an_error(trained):
    tested = set(trained.predictions("test")["sha256"])
    rows = dataset.load("phantom").table
    editing.exclude("phantom", list(rows["row"][rows["sha256"].isin(tested)]))
    with pytest.raises(UserError, match="holds no image that this run can be tested on"):
        external.evaluate(trained, "phantom")
    with pytest.raises(UserError, match="There is no dataset 'nowhere'"):
        external.evaluate(trained, "nowhere")
