"""A run on another dataset."""

import shutil

import pytest

from cxrcore.data import dataset, editing
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.errors import DamagedFileError, UserError
from cxrcore.evaluation import external
from cxrcore.evaluation.external import ExternalEvaluation


def test_result_is_kept_beside_that_of_the_run(trained):
    phantoms.create("other", patients=4, images=2, seed=99)
    before = trained.results
    found = external.evaluate(trained, "other")
    assert found.metrics.n == 24 and found.dataset == "other" and trained.results == before
    assert external.load_all(trained) == [found] and not found.elsewhere
    internal, accuracy = before.test.accuracy.value, found.metrics.accuracy
    assert found.drop.value == pytest.approx(internal - accuracy.value)
    assert found.drop.low <= found.drop.value <= found.drop.high
    assert f"({accuracy.successes} of 24)" in str(found.sentence)


def test_own_images_are_not_tested(trained):
    with pytest.raises(UserError, match="phantom is the dataset that this run was trained on"):
        external.evaluate(trained, "phantom")
    source = dataset.load("phantom").folder
    shutil.copytree(source, source.parent / "copy")
    with pytest.raises(UserError, match="0 are of classes that it does not know, 60 are images that it already has"):
        external.evaluate(trained, "copy")


def test_only_real_images_of_other_sources_are_elsewhere(trained, monkeypatch):
    phantoms.create("other", patients=3, images=1, seed=99)
    loaded = dataset.load("other")
    monkeypatch.setattr(dataset.Dataset, "is_phantom", False)
    assert external.evaluate(trained, "other").elsewhere is False  # the same source
    monkeypatch.setattr(dataset.Dataset, "usable", loaded.usable.assign(source="a hospital"))
    assert external.evaluate(trained, "other").elsewhere is True


def test_absent_classes_are_named_and_have_no_sensitivity(trained):
    phantoms.create("other", patients=3, images=1, seed=99)
    rows = dataset.load("other").table
    editing.exclude("other", list(rows["row"][rows["label"] == "COVID"]))
    found = external.evaluate(trained, "other")
    assert found.absent_classes == ["COVID"] and found.metrics.by_class["COVID"].recall.value is None


def test_unknown_dataset_raises(trained):
    with pytest.raises(UserError, match="There is no dataset 'nowhere'"):
        external.evaluate(trained, "nowhere")


def test_damaged_evaluation_raises(trained):
    folder = trained.folder / external.FOLDER / "other"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text('{"n": 3')
    with pytest.raises(DamagedFileError):
        external.load_all(trained)


def test_evaluation_of_version_1_is_read(tmp_path):
    path = tmp_path / "metrics.json"
    metric = '{"value": 0.5, "ci95": [0.1, 0.9], "n": 2, "successes": 1}'
    names = ("accuracy", "balanced_accuracy", "macro_f1", "kappa", "matthews")
    overall = ", ".join(f'"{name}": {metric}' for name in names)
    path.write_text(
        f'{{"n": 2, "patients": 2, "classes": ["A"], {overall}, "confusion": [[2]], "by_class": {{}}, "dataset": "d", '
        '"version": 3, "elsewhere": true, "unknown_classes": [], "absent_classes": ["A"], "known_images": 4, '
        '"drop": {"value": 0.1, "ci95": [-0.2, 0.4]}, "sentence": "On d it is right."}'
    )
    found = ExternalEvaluation.read(path)
    assert (found.metrics.accuracy.low, found.metrics.n, found.version, found.known_images) == (0.1, 2, 3, 4)
    assert (found.drop.low, found.drop.high) == (-0.2, 0.4) and str(found.sentence) == "On d it is right."
