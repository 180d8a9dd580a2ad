import numpy as np
import pytest

from cxrcore import runs
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.evaluation import probe, shortcut
from cxrcore.training import config, pipeline


def test_the_probe_finds_what_is_there_and_no_more():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 60)
    patients = [f"p{k // 2}" for k in range(180)]
    noise = rng.normal(size=(180, 20)).astype(np.float32)
    found = probe.accuracy(noise, labels, patients)
    assert found["ci95"][0] < 1 / 3 and found["value"] < 0.45 and found["n"] == 180
    telling = noise.copy()
    telling[np.arange(180), np.repeat([0, 1, 2], 60)] += 12
    found = probe.accuracy(telling, labels, patients)
    assert found["value"] == 1.0 and 0.94 < found["ci95"][0] < 1  # 90 patients of 90


def test_a_feature_of_the_patient_does_not_help_with_new_patients():
    """Two images a patient share a random code: with patients on both sides of a fold, the code gives the class."""
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(40, 200)).repeat(2, axis=0).astype(np.float32)
    labels = rng.permutation(np.repeat(["a", "b"], 20)).repeat(2)
    found = probe.accuracy(codes, labels, [f"p{k // 2}" for k in range(80)])
    assert found["ci95"][0] < 0.5


@pytest.mark.parametrize(("planted", "verdict"), [(None, "none found"), ("COVID", "shortcut")])
def test_the_planted_marker_is_found_and_nothing_without_it(home, planted, verdict):
    phantoms.create("phantom", patients=20, images=2, seed=1, planted_class=planted)
    made = config.make(dataset="phantom", epochs=2)
    run = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    found = shortcut.audit(run)
    assert found["verdict"] == verdict, found
    assert list(found["border"]) == ["5", "11", "16"] and found["source"] is None
    assert found["chance"] == pytest.approx(1 / 3) and found["full"]["accuracy"] > 0.8
    assert run.shortcut == found
    assert ("not in the lungs" in found["sentence"]) == (verdict == "shortcut")


def test_the_verdict_needs_more_than_chance_and_its_margin():
    nothing = {"10": {"accuracy": 0.4, "ci95": [0.35, 0.45]}}
    base = {"chance": 0.4, "border": {"10": {"accuracy": 0.5, "ci95": [0.44, 0.56]}}, "border_pixels": nothing}
    assert shortcut._verdict(base)["verdict"] == "none found"
    base["border"]["10"]["ci95"] = [0.46, 0.56]
    assert shortcut._verdict(base)["verdict"] == "shortcut"
