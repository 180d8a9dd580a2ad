"""The checks of heatmaps, by hand and on a run."""

import numpy as np
import pytest

from cxrcore.explain import deletion_insertion, faithfulness, faithfulness_summary, pointing_game, randomisation
from cxrcore.explain.gradients import HeadGradients, ModelGradients, heatmaps, of_targets
from cxrcore.explain.methods import GRADIENT_METHODS
from cxrcore.features.keras_setup import keras
from cxrcore.training import heads


def test_a_map_that_points_at_what_matters_deletes_early_and_one_that_does_not_late():
    """The answer is 1 while a tenth of the image is untouched: gone after the first of ten steps, or the last."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    heat = np.zeros((16, 16), np.float32)
    heat[:5, :5] = 1

    def ask(images):
        whole = [(image[:20, :20] == pixels[:20, :20]).all() for image in images]
        return np.stack([1 - np.array(whole, float), np.array(whole, float)], axis=1)

    assert deletion_insertion.areas(ask, pixels, heat, 1) == pytest.approx((0.05, 0.95))
    assert deletion_insertion.areas(ask, pixels, 1 - heat, 1) == pytest.approx((0.95, 0.05))


def test_rank_correlation():
    first = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert randomisation.rank_correlation(first, first**3) == pytest.approx(1)
    assert randomisation.rank_correlation(first, -first) == pytest.approx(-1)
    assert randomisation.rank_correlation(first, np.array([[1.0, 2.0], [4.0, 3.0]])) == pytest.approx(0.8)
    assert randomisation.rank_correlation(first, np.zeros((2, 2))) == 0
    assert randomisation.rank_correlation(np.zeros((2, 2)), np.zeros((2, 2))) == 1, "empty, and the same"


def test_weights_are_shuffled_from_the_top_down_and_nowhere_else(trained):
    model = keras.models.load_model(trained.model_file)
    backbone, logits = model.get_layer("features").get_layer("backbone"), model.get_layer("head").get_layer("body")
    before = {layer.name: layer.get_weights() for layer in [*backbone.layers, *logits.layers]}

    def changed():
        return {
            layer.name
            for layer in [*backbone.layers, *logits.layers]
            if any((a != b).any() for a, b in zip(before[layer.name], layer.get_weights(), strict=True))
        }

    taps = ["block5_out", "block4c_out", "block3a_out"]
    steps = randomisation.stages(model, taps)
    assert next(steps) == "head" and changed() == {"logits"}
    assert next(steps) == "block5_out"
    assert all(name.startswith("block5") or name == "logits" for name in changed())
    assert list(steps) == taps[1:]
    assert any(name.startswith("block1") for name in changed())
    kernel = logits.get_layer("logits").get_weights()[0]
    assert np.sort(kernel.ravel()) == pytest.approx(np.sort(before["logits"][0].ravel()))


def test_energy_by_hand():
    mask = np.array([[True, False], [False, False]])
    heat = np.array([[[3.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    found = pointing_game.energy(heat, [mask, mask])
    assert found[0] == 0.75 and np.isnan(found[1]), "an empty map lies nowhere"


def test_several_methods_from_one_pass_are_each_by_itself():
    keras.utils.set_random_seed(0)
    head = heads.build("tutorial", (4, 4, 5), 3, 0.0)
    maps = np.random.default_rng(0).normal(size=(6, 4, 4, 5)).astype(np.float32)
    chances, targets = np.asarray(head(maps)), np.array([0, 1, 2, 0, 1, 2])
    found = of_targets(HeadGradients(head), maps, ["grad-cam", "layercam", "tutorial"], targets, chances)
    for name in ("grad-cam", "layercam"):
        every = heatmaps(HeadGradients(head), maps, name)
        assert found[name] == pytest.approx(every[np.arange(6), targets], abs=1e-6)
    # The probability of a class has the gradient P (1 - P) of its logit, less what the others add.
    jacobian = np.diag(chances[3]) - np.outer(chances[3], chances[3])
    assert found["tutorial"][3] == pytest.approx(
        heatmaps(HeadGradients(head), maps[3:4], scores=jacobian[:1])[0, 0], abs=1e-6
    )


def _check(over_random, low, random_weights=0.1, stability=0.9, pointing_=0.9):
    values = {"random_weights": random_weights, "stability": stability, "pointing": pointing_}
    checks = {name: {"value": value, "n": 8} if value is not None else None for name, value in values.items()}
    return checks | {"over_random": {"value": over_random, "ci95": [low, 1], "n": 16}}


def test_verdicts_name_each_flaw_and_the_worst_method():
    found = faithfulness_summary.of(
        {
            "good": _check(0.3, 0.1),
            "random": _check(0.3, 0.0),
            "blind": _check(0.3, 0.1, random_weights=0.3, stability=0.69, pointing_=0.49),
            "unmeasured": _check(0.4, 0.1, random_weights=None, pointing_=None),
        },
    )
    assert {name: len(flaws) for name, flaws in found["flaws"].items()} == {
        "good": 0, "random": 1, "blind": 3, "unmeasured": 0,
    }  # fmt: skip
    assert found["worst"] == "blind"
    assert faithfulness_summary.of({"a": _check(0.3, 0.1), "b": _check(0.2, 0.1)})["worst"] == "b"


def test_a_run_is_measured_and_says_so_on_disk(trained):
    heard = []
    names = ["grad-cam", "eigen-cam", "occlusion"]
    found = faithfulness.measure(trained, names, lambda *step: heard.append(step))
    assert found == trained.faithfulness and list(found["methods"]) == names
    grad_cam, tests = found["methods"]["grad-cam"], trained.predictions("test")
    assert grad_cam["in_lungs"]["n"] == len(tests) == 12 and found["lungs_from"] == "mask files, of 12 of 12 images"
    # The same maps as those kept with the run, asked again: the peak of the predicted class in the right lesion.
    ill = tests[(tests["label"] != "NORMAL") & tests["correct"]]
    masks = pointing_game.read_masks(list(trained.table.set_index("path").loc[ill["path"], "lesions"]))
    rows = ill.index.to_numpy()
    kept = trained.heatmaps()[rows, [trained.about["classes"].index(label) for label in ill["label"]]]
    assert grad_cam["pointing"]["value"] == pytest.approx(pointing_game.hits(kept, masks).mean())
    assert grad_cam["in_lesions"]["value"] == pytest.approx(pointing_game.energy(kept, masks).mean(), abs=1e-4)
    assert [stage for stage, _ in grad_cam["stages"]][:2] == ["head", "block5_out"] and len(grad_cam["stages"]) == 7
    assert found["methods"]["occlusion"]["random_weights"] is None
    assert 0 <= grad_cam["deletion"]["ci95"][0] <= grad_cam["deletion"]["value"] <= grad_cam["deletion"]["ci95"][1] <= 1
    assert {stage for stage, _, _ in heard} == {"heatmaps", "noise", "deletion and insertion", "shuffled weights"}


def test_a_method_that_knows_no_class_passes_no_check_by_accident(trained):
    """Eigen-CAM on the kept map does not change when the head alone is shuffled."""
    found = faithfulness.measure(trained, ["eigen-cam", "grad-cam"])
    assert dict(found["methods"]["eigen-cam"]["stages"])["head"] == pytest.approx(1)
    assert dict(found["methods"]["grad-cam"]["stages"])["head"] < 0.9


def test_every_quick_method_through_the_whole_model_is_the_same(trained):
    model = keras.models.load_model(trained.model_file)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    chances, targets = np.asarray(model(pixels)), np.array([0, 1])
    maps = model.get_layer("features").predict(pixels, verbose=0)
    kept = of_targets(HeadGradients(model.get_layer("head")), maps, GRADIENT_METHODS, targets, chances)
    whole = of_targets(ModelGradients(model, "block5_out"), pixels, GRADIENT_METHODS, targets, chances)
    for name in GRADIENT_METHODS:
        assert whole[name] == pytest.approx(kept[name], abs=1e-5 * max(1.0, float(kept[name].max())))
