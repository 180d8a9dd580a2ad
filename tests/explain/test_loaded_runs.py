"""Explanations and predictions by runs that stay loaded."""

from pathlib import Path

import numpy as np
import pytest

from cxrcore.explain import loaded_runs
from cxrcore.explain.explanation import ClassScore


@pytest.fixture(autouse=True)
def _no_run_is_loaded():
    loaded_runs._loaded.cache_clear()


def test_prediction_and_explanation_match_those_of_the_training(trained):
    tests = trained.predictions("test")
    path, probabilities = Path(tests["path"][0]), tests[[f"p_{name}" for name in trained.classes]].to_numpy()[0]
    found = loaded_runs.predict(trained, path)
    assert found.probabilities == pytest.approx(probabilities, abs=1e-5) and found.probabilities.shape == (3,)
    second = trained.classes[1]
    explained = loaded_runs.explain(trained, path, trained.config.tap, "grad-cam", ClassScore(second))
    assert explained.heatmaps[0] == pytest.approx(trained.heatmaps()[0, 1], abs=1e-4)
    assert explained.ood_score == pytest.approx(found.ood_score, abs=1e-5)
    contrast = loaded_runs.explain(trained, path, trained.config.tap, "grad-cam", ClassScore(second, second))
    assert not contrast.heatmaps.any(), "a class against itself"


def test_run_without_a_detector_has_no_score(trained):
    (trained.folder / "novelty.npz").unlink()
    path = Path(trained.predictions("test")["path"][0])
    assert loaded_runs.predict(trained, path).ood_score is None


def test_run_is_loaded_once_until_its_model_changes(trained, monkeypatch):
    calls = []
    loaded_runs.prepare(trained, lambda done, total: calls.append(done))
    assert loaded_runs._loaded.cache_info().misses == 1
    first = loaded_runs._explainer(trained)
    explained = []
    monkeypatch.setattr(first, "explain_pixels", lambda *values, **more: explained.append((values, more)))
    loaded_runs.prepare(trained)
    (((pixels, layer), more),) = explained
    assert pixels.shape == (64, 64, 3) and pixels.dtype == np.uint8 and not pixels.any()
    assert layer == trained.config.tap and set(more) == {"progress"}
    assert loaded_runs._explainer(trained) is first and loaded_runs._loaded.cache_info().misses == 1
    file = trained.model_file
    file.write_bytes(file.read_bytes())
    assert loaded_runs._explainer(trained) is not first
