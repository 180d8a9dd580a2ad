"""The faithfulness checks, by hand and on a run."""

import numpy as np
import pandas as pd
import pytest

from cxrcore.config import run_config
from cxrcore.errors import DamagedFileError
from cxrcore.explain import (
    deletion_insertion,
    faithfulness,
    faithfulness_summary,
    localisation,
    perturbation,
    pointing_game,
    randomisation,
)
from cxrcore.explain.faithfulness_summary import LesionChecks, MethodChecks
from cxrcore.explain.gradients import HeadGradients, ModelGradients, heatmaps, target_heatmaps
from cxrcore.explain.methods import GRADIENT_METHODS
from cxrcore.features.keras_setup import keras
from cxrcore.inference import saved_model
from cxrcore.metric import Metric
from cxrcore.runs import Run
from cxrcore.training import heads


def test_deletion_and_insertion_of_a_faithful_and_an_unfaithful_map():
    """The probability is 1 while a tenth of the image is untouched: until the first of four steps, or the last."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    heat = np.zeros((16, 16), np.float32)
    heat[:5, :5] = 1

    counts = []

    def probabilities(images):
        counts.append(len(images))
        whole = [(image[:20, :20] == pixels[:20, :20]).all() for image in images]
        return np.stack([1 - np.array(whole, float), np.array(whole, float)], axis=1)

    curves = deletion_insertion.curves(probabilities, pixels, [heat, 1 - heat, heat], 1)
    assert curves[0].tolist() == [[1, 0, 0, 0, 0], [0, 1, 1, 1, 1]]
    found = deletion_insertion.areas(curves)
    # By the trapezoidal rule.
    assert found == pytest.approx(np.array([[0.125, 0.875], [0.875, 0.125], [0.125, 0.875]]))
    assert counts == [14], "equal altered images pass the model once"


def test_rank_correlation():
    first = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert randomisation.rank_correlation(first, first**3) == pytest.approx(1)
    assert randomisation.rank_correlation(first, -first) == pytest.approx(-1)
    assert randomisation.rank_correlation(first, np.array([[1.0, 2.0], [4.0, 3.0]])) == pytest.approx(0.8)
    assert randomisation.rank_correlation(first, np.zeros((2, 2))) == 0
    assert randomisation.rank_correlation(np.zeros((2, 2)), np.zeros((2, 2))) == 1


def test_weights_are_shuffled_from_the_top_down(trained):
    model = saved_model.load(trained, copy=True)
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
    assert found[0] == 0.75 and np.isnan(found[1])  # an empty map has no energy
    assert pointing_game.energy(heat / 100, [mask, mask])[0] == pytest.approx(0.75), "whatever its scale"


def test_several_methods_from_one_pass_match_single_ones():
    keras.utils.set_random_seed(0)
    head = heads.build("tutorial", (4, 4, 5), 3, 0.0)
    maps = np.random.default_rng(0).normal(size=(6, 4, 4, 5)).astype(np.float32)
    chances, targets = np.asarray(head(maps)), np.array([0, 1, 2, 0, 1, 2])
    found = target_heatmaps(HeadGradients(head), maps, ["grad-cam", "layercam", "tutorial"], targets, chances)
    for name in ("grad-cam", "layercam"):
        every = heatmaps(HeadGradients(head), maps, name)
        assert found[name] == pytest.approx(every[np.arange(6), targets], abs=1e-6)
    # dP_k = sum_j (P_k [j = k] - P_k P_j) dS_j
    jacobian = np.diag(chances[3]) - np.outer(chances[3], chances[3])
    assert found["tutorial"][3] == pytest.approx(
        heatmaps(HeadGradients(head), maps[3:4], scores=jacobian[:1])[0, 0], abs=1e-6
    )


def _checks(over_random, low, random_weights=0.1, stability=0.9, over_chance_low=0.1, lesions_known=True):
    def metric(value):
        return None if value is None else Metric(value, n=8)

    return MethodChecks(
        deletion=Metric(0.5),
        insertion=Metric(0.5),
        over_random=Metric(over_random, low, 1.0, 16),
        stability=metric(stability),
        random_weights=metric(random_weights),
        stages=[],
        in_lungs=None,
        over_chance=Metric(0.3, over_chance_low, 0.5, 8) if lesions_known else None,
    )


def test_each_flaw_is_named_and_the_worst_method_has_most():
    checks = {
        "good": _checks(0.3, 0.1),
        "random": _checks(0.3, 0.0),
        "one patient": _checks(0.3, None),
        "blind": _checks(0.3, 0.1, random_weights=0.3, stability=0.69, over_chance_low=0.0),
        "unmeasured": _checks(0.4, 0.1, random_weights=None, lesions_known=False),
    }
    counts = {name: len(faithfulness_summary.flaws(each)) for name, each in checks.items()}
    assert counts == {"good": 0, "random": 1, "one patient": 1, "blind": 3, "unmeasured": 0}
    assert faithfulness_summary.worst(checks) == "blind"
    assert faithfulness_summary.worst({"a": _checks(0.3, 0.1), "b": _checks(0.2, 0.1)}) == "b"


def test_checks_of_a_run_are_kept_with_it(trained, monkeypatch):
    monkeypatch.setattr(perturbation, "GRID", 3)
    calls = []
    names = ["grad-cam", "eigen-cam", "occlusion"]
    found = faithfulness.measure(trained, names, calls.append)
    assert found == faithfulness.load(trained) and list(found.methods) == names
    grad_cam, tests = found.methods["grad-cam"], trained.predictions("test")
    assert grad_cam.in_lungs.n == len(tests) == 12 and str(found.lungs_from) == "mask files, of 12 of 12 images"
    # The same maps as those kept with the run: the peak of the predicted class in the right lesion.
    ill = tests[(tests["label"] != "NORMAL") & tests["correct"]]
    masks = pointing_game.read_masks(list(trained.table.set_index("path").loc[ill["path"], "lesions"]))
    rows = ill.index.to_numpy()
    kept = trained.heatmaps()[rows, [trained.classes.index(label) for label in ill["label"]]]
    lesions = grad_cam.lesions
    assert lesions.pointing.value == pytest.approx(pointing_game.hits(kept, masks, localisation.TOLERANCE).mean())
    assert lesions.energy.value == pytest.approx(pointing_game.energy(kept, masks).mean(), abs=1e-4)
    chance = found.random_point.pointing.value
    assert grad_cam.over_chance.value == pytest.approx(lesions.pointing.value - chance)
    assert 0 < chance < lesions.pointing.value and lesions.pointing.low < lesions.pointing.value
    assert 0.05 <= lesions.threshold <= 0.95 and 0 < lesions.iou.value < 1
    assert [stage for stage, _ in grad_cam.stages][:2] == ["head", "block5_out"] and len(grad_cam.stages) == 7
    assert found.methods["occlusion"].random_weights is None
    assert 0 <= grad_cam.deletion.low <= grad_cam.deletion.value <= grad_cam.deletion.high <= 1
    assert [*dict.fromkeys(step.stage for step in calls)] == [
        "heatmaps",
        "deletion and insertion",
        "noise",
        "lesions of other images",
        "shuffled weights",
    ]
    assert (calls[-1].number, calls[-1].steps, calls[-1].seconds_left) == (5, 5, 0)
    curves = found.curves.methods["grad-cam"]
    assert len(curves.deletion) == len(found.curves.random.insertion) == 5
    # The area of the mean curve is the mean of the areas.
    assert deletion_insertion.areas(np.array(curves.deletion)) == pytest.approx(grad_cam.deletion.value)
    assert deletion_insertion.areas(np.array(found.curves.random.insertion)) == pytest.approx(
        found.random.insertion.value
    )
    # Eigen-CAM of the feature map is the same for every head; Grad-CAM is not.
    assert dict(found.methods["eigen-cam"].stages)["head"] == pytest.approx(1)
    assert dict(found.methods["eigen-cam"].stages)["block5_out"] < 0.99
    assert dict(grad_cam.stages)["head"] < 0.9


def test_no_checks_and_damaged_ones(tmp_path):
    assert faithfulness.load(Run(tmp_path)) is None
    (tmp_path / "faithfulness.json").write_text('{"methods": {"grad-cam": {}}}')
    with pytest.raises(DamagedFileError):
        faithfulness.load(Run(tmp_path))


def test_checks_of_version_1_are_read(tmp_path):
    metric = '{"value": 0.3, "ci95": [0.2, 0.4], "n": 3}'
    known = ("deletion", "insertion", "over_random", "stability", "pointing", "in_lesions", "in_lungs")
    means = ", ".join(f'"{name}": {metric}' for name in known)
    (tmp_path / "faithfulness.json").write_text(
        f'{{"methods": {{"layercam": {{{means}, "random_weights": null, "stages": [["head", 0.5]]}}}}, '
        f'"random": {{"deletion": {metric}, "insertion": {metric}}}, '
        '"lungs_from": "mask files", "layer": "block5_out", "flaws": {"layercam": ["It moves."]}, "worst": "layercam"}'
    )
    found = faithfulness.load(Run(tmp_path))
    assert found.methods["layercam"].in_lungs == Metric(0.3, 0.2, 0.4, 3)
    assert found.methods["layercam"].lesions == LesionChecks(Metric(0.3, 0.2, 0.4, 3), Metric(0.3, 0.2, 0.4, 3))
    assert found.curves is None
    assert found.methods["layercam"].stages == [("head", 0.5)] and str(found.flaws["layercam"][0]) == "It moves."


def test_target_heatmaps_through_the_whole_model_match_those_of_the_head(trained):
    model = saved_model.load(trained, copy=True)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    chances, targets = np.asarray(model(pixels)), np.array([0, 1])
    maps = model.get_layer("features").predict(pixels, verbose=0)
    kept = target_heatmaps(HeadGradients(model.get_layer("head")), maps, GRADIENT_METHODS, targets, chances)
    whole = target_heatmaps(ModelGradients(model, "block5_out"), pixels, GRADIENT_METHODS, targets, chances)
    for name in GRADIENT_METHODS:
        assert whole[name] == pytest.approx(kept[name], abs=1e-5 * max(1.0, float(kept[name].max())))


def test_random_map_has_seven_cells_a_side():
    found = deletion_insertion.random_map(np.random.default_rng(0))
    assert found.shape == (7, 7) and found.dtype == np.float32 and 0 <= found.min() < found.max() < 1


def test_methods_and_baselines_are_compared_on_the_images_with_lungs(save):
    """Of four images with a lesion, the lungs of two are known, and the prediction of one of them is wrong."""
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4, 2:4] = 255
    files = [str(save(f"{number}.png", mask)) for number in range(4)]
    table = pd.DataFrame({"lesions": [*files, "", "/nowhere/gone.png"], "patient": list("abcdef")})
    arrays = [np.zeros((6, 8, 8, 3), np.uint8)] * 4
    images, lungs = faithfulness._Images(table, *arrays), [None, mask > 0, mask > 0, None, None, None]
    checks = object.__new__(faithfulness._Checks)
    checks.config = run_config.make(dataset="d")
    correct = np.array([True, True, False, True, True, True])
    found = checks._marked(images, lungs, correct)
    assert (list(found.rows), list(found.patients)) == ([1], ["b"]) and (found.lesions[0] == (mask > 0)).all()
    every = checks._marked(images, lungs, True)
    assert list(every.rows) == [1, 2]
    without = checks._marked(images, [None] * 6, correct)
    assert (list(without.rows), without.lungs) == ([0, 1, 3], [None] * 3)
