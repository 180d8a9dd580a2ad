"""The loaded model of a run."""

import numpy as np
import pytest

from cxrcore.errors import DamagedFileError, UserError
from cxrcore.inference import ood
from cxrcore.inference.classifier import Classifier


def test_outputs_of_a_loaded_run(trained):
    classifier = Classifier(trained)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    probabilities, maps = classifier.probabilities(pixels), classifier.feature_maps(pixels)
    assert classifier.size == 64 and classifier.classes == ["COVID", "NORMAL", "OTHER INFECTION"]
    assert probabilities.shape == (5, 3) and probabilities.sum(axis=1) == pytest.approx(1)
    assert np.asarray(classifier.head(maps)) == pytest.approx(probabilities, abs=1e-5)
    exponents = np.exp(classifier.logit_model.logits(pixels))
    assert exponents / exponents.sum(axis=1, keepdims=True) == pytest.approx(probabilities, abs=1e-5)
    vectors = maps.mean(axis=(1, 2))
    assert classifier.ood_score(vectors) == pytest.approx(ood.load(trained.folder / ood.FILE).score(vectors))
    (trained.folder / ood.FILE).unlink()
    assert Classifier(trained).ood_score(vectors) is None


def test_missing_and_damaged_model_raise(trained):
    trained.model_file.write_bytes(trained.model_file.read_bytes()[:1000])
    with pytest.raises(DamagedFileError):
        Classifier(trained)
    trained.model_file.unlink()
    with pytest.raises(UserError, match=r"has no model: its file head\.keras is missing"):
        Classifier(trained)
