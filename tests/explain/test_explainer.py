"""What an explainer hands to its parts: file or pixels, the scores, a crop, and the methods that alter the image."""

from pathlib import Path

import numpy as np
import pytest

from cxrcore.data.images import load
from cxrcore.explain import perturbation, uncrop
from cxrcore.explain.explainer import Explainer, fuse
from cxrcore.features import image_transforms
from cxrcore.inference.classifier import Classifier


@pytest.fixture
def explainer(trained):
    return Explainer(Classifier(trained), trained.config)


@pytest.fixture
def path(trained):
    return Path(trained.predictions("test")["path"][0])


def test_file_and_its_pixels_have_the_same_explanation(explainer, path, trained):
    tap, pixels = trained.config.tap, load(path, 64)
    from_file, from_pixels = explainer.explain(path, tap), explainer.explain(pixels, tap)
    assert (from_file.pixels == pixels).all() and (from_pixels.pixels == pixels).all()
    np.testing.assert_array_equal(from_file.heatmaps, from_pixels.heatmaps)
    np.testing.assert_array_equal(from_file.probabilities, from_pixels.probabilities)


def test_vector_is_the_mean_of_the_map_and_gives_the_score(explainer, path, trained):
    found, classifier = explainer.explain(path, trained.config.tap), explainer.classifier
    maps = classifier.feature_maps(load(path, 64)[None])
    assert found.vector == pytest.approx(maps[0].mean(axis=(0, 1)), abs=1e-5)
    assert found.ood_score == pytest.approx(float(classifier.ood.score(found.vector[None])[0]))
    assert found.probabilities == pytest.approx(classifier.head_probabilities(maps)[0], abs=1e-5)
    classifier.ood = None
    assert explainer.explain(path, trained.config.tap).ood_score is None


def test_scores_are_made_from_the_probabilities(explainer, path, trained):
    """The second most probable class alone."""
    every = explainer.explain(path, trained.config.tap, "layercam")
    second = int(np.argsort(every.probabilities)[-2])
    one = explainer.explain(path, trained.config.tap, "layercam", lambda found: np.eye(3)[[int(np.argsort(found)[-2])]])
    assert one.heatmaps.shape[0] == 1
    assert one.heatmaps[0] == pytest.approx(every.heatmaps[second], abs=1e-6)


def test_map_of_a_cropped_image_is_in_the_frame_of_the_whole_one(explainer, path, trained):
    explainer.classifier.image_transform = "crop"
    raw = load(path, 64)
    (box,) = image_transforms.boxes(raw[None], "crop")
    top, bottom, left, right = (round(share * uncrop.SIDE) for share in box)
    assert 0 < top < bottom < uncrop.SIDE, "the lungs do not fill the image"
    cropped = image_transforms.apply(raw[None], "crop")[0]
    inside = explainer.explain_pixels(cropped, trained.config.tap).heatmaps
    found = explainer.explain(path, trained.config.tap)
    assert (found.pixels == cropped).all() and found.heatmaps.shape == (3, uncrop.SIDE, uncrop.SIDE)
    best = int(found.probabilities.argmax())
    part = found.heatmaps[best, top:bottom, left:right]
    assert part.sum() == pytest.approx(found.heatmaps[best].sum()) and part.max() > 0
    assert part.max() == pytest.approx(inside[best].max(), rel=0.1)


def test_occlusion_is_the_fall_of_the_logit(explainer, path, trained, monkeypatch):
    """The image in 2 x 2 patches, of which the last one is replaced by the mean grey."""
    monkeypatch.setattr(perturbation, "GRID", 2)
    calls, pixels = [], load(path, 64)
    found = explainer.explain(
        path, trained.config.tap, "occlusion", progress=lambda done, total: calls.append((done, total))
    )
    covered = pixels.astype(np.float32)
    covered[32:, 32:] = pixels.mean()
    before, after = explainer.classifier.logit_model.logits(np.stack([pixels.astype(np.float32), covered]))
    assert found.heatmaps.shape == (3, 2, 2) and calls[-1] == (4, 4)
    assert found.heatmaps[:, 1, 1] == pytest.approx(np.maximum(before - after, 0), abs=1e-4)


def test_score_cam_uses_the_map_of_the_layer(explainer, path):
    shallow = explainer.explain(path, "block3a_out", "score-cam", lambda _: np.eye(3)[:1])
    assert shallow.heatmaps.shape == (1, 16, 16) and shallow.heatmaps.max() > 0


def test_each_score_and_layer_is_scaled_to_its_own_maximum_before_the_mean():
    coarse = np.array([[[2.0, 2.0]], [[0.0, 0.0]]])
    fine = np.array([[[1.0, 0.0], [0.5, 0.0]], [[0.0, 8.0], [0.0, 4.0]]])
    found = fuse([coarse, fine])
    assert found[0].tolist() == [[1.0, 0.5], [0.75, 0.5]] and found[1].tolist() == [[0.0, 0.5], [0.0, 0.25]]
