"""A run on another dataset."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxrcore.data import dataset, editing
from cxrcore.data.importing import import_folders
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.errors import DamagedFileError, UserError
from cxrcore.evaluation import external, intervals
from cxrcore.evaluation.external import ExternalEvaluation
from cxrcore.inference import ood, predict


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
    with pytest.raises(UserError, match=": 0 are of classes that it does not know, 60 are images that it already has"):
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


@pytest.fixture
def without_model(monkeypatch):
    """Every image is predicted as COVID, as the model itself does not matter; the run has no detector."""
    monkeypatch.setattr(
        predict,
        "probabilities_and_ood_scores",
        lambda run, rows, callbacks: (np.tile(np.float32([1, 0, 0]), (len(rows), 1)), None),
    )


@pytest.fixture
def repeated(trained, tmp_path):
    """A dataset of 9 new phantoms, 2 of the run's images as other files of the same pixels, and 3 as smaller JPEGs.

    Each is named after the image that it shows.
    """
    rows = trained.table.sort_values("path").groupby(["split", "label"]).head(1)
    own = rows.set_index(rows["split"] + " " + rows["label"])
    drawn = phantoms.create("drawn", patients=3, images=1, seed=99).table
    for row in drawn.itertuples():
        place = tmp_path / "set" / row.label
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(row.path, place)
    for name in ("train COVID", "test NORMAL"):
        image = Image.open(own.loc[name, "path"])
        image.save(tmp_path / "set" / own.loc[name, "label"] / f"{own.loc[name, 'sha256']}.tiff")
    for name in ("train NORMAL", "validation COVID", "test COVID"):
        image = Image.open(own.loc[name, "path"])
        place = tmp_path / "set" / own.loc[name, "label"] / f"{own.loc[name, 'sha256']}.jpg"
        image.resize((179, 179), Image.Resampling.BICUBIC).save(place, quality=60)
    return import_folders([tmp_path / "set"], "repeated")


def test_duplicates_are_left_out_and_kept_with_their_part(trained, repeated, without_model):
    stages = []
    (repeated.folder / dataset.MEASURES).unlink()
    found = external.evaluate(trained, "repeated", lambda stage, done, total: stages.append(stage))
    assert list(dict.fromkeys(stages)) == ["measuring", "measuring own", "comparing"]
    assert (found.metrics.n, found.known_images, found.near_duplicates, found.duplicates_tested) == (9, 2, 3, False)
    assert found.unmeasured == 0
    assert str(found.checks[0]) == ("Images tested: 9. Left out as duplicates of the run's images: 2 exact, 3 near.")
    pairs = external.duplicates(trained, "repeated")
    assert sorted(pairs["kind"] + " " + pairs["part"] + " " + pairs["own_label"]) == [
        "exact test NORMAL",
        "exact train COVID",
        "near test COVID",
        "near train NORMAL",
        "near validation COVID",
    ]
    assert [Path(path).stem for path in pairs["external_path"]] == list(pairs["own_sha256"])
    tested = trained.read_table("evaluations/repeated/predictions.parquet")
    assert not set(tested["sha256"]) & set(pairs["external_sha256"])


def test_duplicates_are_tested_on_request(trained, repeated, without_model, monkeypatch):
    monkeypatch.setattr(dataset.Dataset, "is_phantom", False)
    assert external.evaluate(trained, "repeated").elsewhere is True
    found = external.evaluate(trained, "repeated", include_duplicates=True)
    assert (found.metrics.n, found.known_images, found.near_duplicates, found.duplicates_tested) == (14, 2, 3, True)
    assert "were tested too, which makes the result too good: 2 exact, 3 near." in str(found.summary)
    assert found.elsewhere is False


def test_share_out_of_distribution_is_that_of_the_scores(trained, monkeypatch):
    phantoms.create("other", patients=3, images=1, seed=99)
    chances = np.tile(np.float32([1, 0, 0]), (9, 1))
    scores = np.array([0.2, 1.0, 1.01, 3, 0.5, 0.5, 0.5, 0.5, 0.5])
    monkeypatch.setattr(predict, "probabilities_and_ood_scores", lambda run, rows, callbacks: (chances, scores))
    found = external.evaluate(trained, "other")
    assert (found.out_of_distribution.successes, found.out_of_distribution.n) == (2, 9)
    detector = ood.load(trained.folder / ood.FILE)
    assert (found.own_out_of_distribution.successes, found.own_out_of_distribution.n) == (detector.alarms, 12)
    assert str(found.checks[1]).startswith("Out of distribution: 22.2% of the tested images (2 of 9, 95% interval 6.3%")
    assert external.load_all(trained) == [found]


def test_scores_and_probabilities_are_those_of_the_run(trained):
    rows = trained.predictions("test")
    probabilities, scores = predict.probabilities_and_ood_scores(trained, rows)
    assert np.abs(probabilities - rows[[f"p_{name}" for name in trained.classes]].to_numpy()).max() < 1e-5
    assert (scores > 1).sum() == ood.load(trained.folder / ood.FILE).alarms


def test_images_of_a_deleted_dataset_are_compared_as_long_as_their_files_are_unchanged(
    trained, repeated, without_model, tmp_path
):
    (copy,) = (tmp_path / "set" / "NORMAL").glob("*.jpg")
    folder = dataset.load("phantom").folder
    shutil.copytree(folder / "images", tmp_path / "kept")
    table = trained.table.assign(path=[str(tmp_path / "kept" / Path(path).name) for path in trained.table["path"]])
    dataset.delete("phantom")
    trained.write_table("table.parquet", table.assign(path=table["path"].mask(table["sha256"] == copy.stem, str(copy))))
    found = external.evaluate(trained, "repeated")
    assert (found.metrics.n, found.known_images, found.near_duplicates, found.unmeasured) == (10, 2, 2, 1)
    assert "The files of 1 images of the run are missing or have changed" in str(found.summary)


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
    assert found.near_duplicates is None and found.out_of_distribution is None
    assert str(found.summary) == "On d it is right. 4 images that the run already has were left out."


@pytest.mark.parametrize(
    ("own", "right", "change"),
    [(9, 9, "25.0 percentage points higher than"), (9, 3, "41.7 percentage points lower than"), (4, 3, "the same as")],
)
def test_sentence_says_how_the_accuracy_differs(trained, monkeypatch, own, right, change):
    """Of 12 own images 9 or 4 are correct; of 9 others all, or the 3 of the class that is always predicted."""
    phantoms.create("other", patients=3, images=1, seed=99)
    test = replace(trained.results.test, accuracy=intervals.proportion(own, 12))
    trained.results.model_copy(update={"test": test}).write(trained.folder / "metrics.json")

    def answers(run, rows, callbacks):
        answer = [run.classes.index(label) if right == 9 else 0 for label in rows["label"]]
        return np.eye(3, dtype=np.float32)[answer], None

    monkeypatch.setattr(predict, "probabilities_and_ood_scores", answers)
    found = external.evaluate(trained, "other")
    said = str(found.sentence)
    assert f"On other the accuracy is {right / 9:.1%} ({right} of 9), {change} on its own test images" in said
    low, high = intervals.difference((own, 12), (right, 9))
    assert (found.drop.value, found.drop.low, found.drop.high) == pytest.approx((own / 12 - right / 9, low, high))
    assert f"95% interval {100 * low:.1f} to {100 * high:.1f}" in said
    assert ("may be due to chance" in said) == (low <= 0 <= high)
    assert found.drop.n == 9 and found.out_of_distribution is None


def test_dataset_of_unknown_classes_is_refused_with_its_counts(trained):
    phantoms.create("other", patients=3, images=1, seed=99)
    editing.change_classes("other", dict(zip(trained.classes, ["Fracture", "Mass", "Nodule"], strict=True)))
    with pytest.raises(UserError, match="9 are of classes that it does not know, 0 are images that it already has"):
        external.evaluate(trained, "other")
