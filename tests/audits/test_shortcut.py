from pathlib import Path

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.audits import corner_occlusion, mitigations, shortcut
from cxrcore.config import run_config
from cxrcore.data.images import load_mask
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.evaluation import intervals, linear_probe
from cxrcore.training import pipeline


def test_the_probe_finds_what_is_there_and_no_more():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 60)
    patients = [f"p{k // 2}" for k in range(180)]
    noise = rng.normal(size=(180, 20)).astype(np.float32)
    found = linear_probe.accuracy(noise, labels, patients)
    assert found["ci95"][0] < 1 / 3 and found["value"] < 0.45 and found["n"] == 180
    telling = noise.copy()
    telling[np.arange(180), np.repeat([0, 1, 2], 60)] += 12
    found = linear_probe.accuracy(telling, labels, patients)
    assert found["value"] == 1.0 and 0.94 < found["ci95"][0] < 1  # 90 patients of 90


def test_a_feature_of_the_patient_does_not_help_with_new_patients():
    """Two images a patient share a random code: with patients on both sides of a fold, the code gives the class."""
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(40, 200)).repeat(2, axis=0).astype(np.float32)
    labels = rng.permutation(np.repeat(["a", "b"], 20)).repeat(2)
    found = linear_probe.accuracy(codes, labels, [f"p{k // 2}" for k in range(80)])
    assert found["ci95"][0] < 0.5


@pytest.mark.parametrize(("planted", "verdict"), [(None, "none found"), ("COVID", "shortcut")])
def test_the_planted_marker_is_found_and_nothing_without_it(home, planted, verdict):
    phantoms.create("phantom", patients=20, images=2, seed=1, planted_class=planted)
    made = run_config.make(dataset="phantom", epochs=2)
    run = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    found = shortcut.audit(run)
    assert found["verdict"] == verdict, found
    assert list(found["border"]) == ["5", "11", "16"] and found["source"] is None
    assert found["chance"] == pytest.approx(1 / 3) and found["full"]["accuracy"] > 0.8
    assert run.shortcut == found
    assert found["lungs"]["from"] == "mask files, of 120 of 120 images" and found["lungs"]["whole"]["n"] == 120
    assert found["lungs"]["only"]["accuracy"] > 0.6  # the disease is in the lungs
    assert found["lungs"]["without"]["accuracy"] < found["lungs"]["only"]["accuracy"] - 0.2
    assert ("not in the lungs" in found["sentence"]) == (verdict == "shortcut")


def test_the_verdict_needs_more_than_chance_and_its_margin():
    nothing = {"10": {"accuracy": 0.4, "ci95": [0.35, 0.45]}}
    base = {"chance": 0.4, "border": {"10": {"accuracy": 0.5, "ci95": [0.44, 0.56]}}, "border_pixels": nothing}
    assert shortcut._verdict(base)["verdict"] == "none found"
    base["border"]["10"]["ci95"] = [0.46, 0.56]
    assert shortcut._verdict(base)["verdict"] == "shortcut"


def test_a_corner_is_blacked_out():
    pixels = np.full((1, 10, 10, 3), 9, np.uint8)
    for place, cells in (
        ((0, 0), np.s_[:2, :2]),
        ((0, 1), np.s_[:2, 8:]),
        ((1, 0), np.s_[8:, :2]),
        ((1, 1), np.s_[8:, 8:]),
    ):
        altered = corner_occlusion.occlude(pixels, place)[0, ..., 0]
        assert not altered[cells].any() and (altered == 9).sum() == 96


def test_the_corner_that_a_model_looks_at_decides(trained, monkeypatch):
    """A model that calls class 1 whatever is not quite black somewhere at the bottom left."""

    class Looks:
        size = 64

        def __init__(self, run):
            pass

        def seen(self, pixels):
            return pixels

        def probabilities(self, pixels):
            return np.eye(3)[pixels[:, -12:, :12].any(axis=(1, 2, 3)).astype(int)]

    monkeypatch.setattr("cxrcore.explain.classifier.Classifier", Looks)
    tests, heard = trained.table[trained.table["split"] == "test"].copy(), []
    tests["label"] = trained.about["classes"][1]
    found = corner_occlusion.audit(trained, tests, lambda *step: heard.append(step))
    assert {name: (part["accuracy"], part["changed"]) for name, part in found.items()} == {
        "top left": (1, 0), "top right": (1, 0), "bottom left": (0, 12), "bottom right": (1, 0),
    }  # fmt: skip
    assert found["bottom left"]["ci95"] == list(intervals.wilson(0, 12)) and heard[-1] == ("corners", 12, 12)


def test_the_energy_of_the_heatmaps_outside(trained):
    """One image's map lies at the edge, the others' in the very middle; phantoms have their masks."""
    maps = np.zeros(trained.heatmaps().shape, np.float32)
    maps[:, :, 3:5, 3:5] = 1
    maps[0] = 0
    maps[0, :, 0, 0] = 1
    np.save(trained.folder / "heatmaps.npy", maps)
    table = trained.table
    masks = [load_mask(Path(path)) for path in table["lungs"]]
    tests = [mask for mask, part in zip(masks, table["split"], strict=True) if part == "test"]
    found = shortcut._energy(trained, tests)
    assert found["frame"]["value"] == pytest.approx(1 / 12, abs=0.01) and found["frame"]["n"] == 12
    assert found["outside"]["value"] > 0.5, "the very middle is the heart"


def test_remedies_take_the_planted_mark_away(home):
    phantoms.create("phantom", patients=20, images=2, seed=1, planted_class="COVID")
    # Random and shallow, this backbone sees the mark, which CXRTiny overlooks.
    made = run_config.make(dataset="phantom", epochs=2, weights="random", tap="block3b_out")
    run = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    found = mitigations.compare(run)
    rows = found["cleanings"]
    assert next(iter(rows)) == "" and found["n"] == found["of"] == 120
    assert rows[""]["border"]["accuracy"] - rows["markers"]["border"]["accuracy"] > 0.1
    pixels = {name: row["border_pixels"]["accuracy"] for name, row in rows.items()}
    assert pixels[""] - pixels["markers"] > 0.1 and pixels[""] - pixels["only-lungs"] > 0.1
    told = {name: max(row["border"]["accuracy"], row["border_pixels"]["accuracy"]) for name, row in rows.items()}
    assert told[found["best"]] == min(value for name, value in told.items() if name)
    assert run.optional("remedies.json") == found


@pytest.mark.parametrize("cleaning", ["crop", "match", "only-lungs"])
def test_a_cleaned_run_without_a_shortcut_is_not_accused_of_one(home, cleaning):
    """What borders the crop is lung: the border that counts is that of the image before."""
    phantoms.create("phantom", patients=20, images=2, seed=1)
    made = run_config.make(dataset="phantom", epochs=2, cleaning=cleaning)
    run = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    found = shortcut.audit(run)
    assert found["verdict"] == "none found", found["sentence"]
    assert found["lungs"]["without"]["accuracy"] < found["lungs"]["only"]["accuracy"]
