"""Runs with an image transform, mean heatmaps and similar images."""

from pathlib import Path

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data.images import load
from cxrcore.evaluation import saved_model
from cxrcore.explain import faithfulness, mean_heatmap, uncrop
from cxrcore.explain.explainer import Explainer
from cxrcore.features import image_transforms
from cxrcore.inference import similar_images
from cxrcore.inference.classifier import Classifier
from cxrcore.training import pipeline


def test_map_of_a_crop_is_mapped_back():
    found = uncrop.uncrop(np.ones((1, 2, 3, 3), np.float32), [(0.25, 0.75, 0.5, 1.0)])
    assert found.shape == (1, 2, uncrop.SIDE, uncrop.SIDE)
    assert found[0, 1].sum() == uncrop.SIDE**2 / 4 and found[0, 0, 12:36, 24:].all()


@pytest.mark.parametrize("transform", ["crop", "match", "only-lungs"])
def test_image_transform_is_applied_to_every_image(phantom, transform):
    config = run_config.make(dataset="phantom", size=64, head="gap", epochs=3, image_transform=transform)
    run = pipeline.run(config, runs.create(config).folder)
    tests, again = run.predictions("test"), saved_model.evaluate(run)[0]
    columns = [name for name in tests if name.startswith("p_")]
    assert columns and again[columns].to_numpy() == pytest.approx(tests[columns].to_numpy(), abs=1e-5)
    shape = (uncrop.SIDE, uncrop.SIDE) if transform in ("crop", "match") else (8, 8)
    assert run.heatmaps().shape == (12, 3, *shape)
    found = Explainer(Classifier(run), run.config).explain(Path(tests["path"][0]), run.config.tap)
    assert found.heatmaps == pytest.approx(run.heatmaps()[0], abs=1e-4)


def test_masks_are_cropped_with_the_images(phantom):
    config = run_config.make(dataset="phantom", head="gap", epochs=20, image_transform="crop")
    run = pipeline.run(config, runs.create(config).folder)
    found = faithfulness.measure(run, ["grad-cam"]).methods["grad-cam"]
    assert found.lesions.pointing.value > 0.9 and found.lesions.energy.value > 0.4


def test_training_image_is_most_similar_to_itself(trained):
    table = trained.table
    image = table[table["split"] == "train"].iloc[7]
    explainer = Explainer(Classifier(trained), trained.config)
    vector = explainer.explain(Path(image["path"]), trained.config.tap).vector
    found = similar_images.nearest(trained, vector, 3)
    assert found["path"][0] == image["path"] and found["similarity"][0] == pytest.approx(1, abs=1e-2)
    assert (found["split"] == "train").all() and list(found["similarity"]) == sorted(found["similarity"], reverse=True)
    (trained.folder / similar_images.FILE).unlink()
    assert similar_images.nearest(trained, vector) is None


def test_mean_heatmap_is_the_mean_of_the_scaled_maps(trained):
    """All maps have their peak in one cell of the whole image, which the crop to the lungs moves."""
    maps = np.zeros(trained.heatmaps().shape, np.float32)
    maps[:, :, 4, 2] = np.arange(1, 13)[:, None]
    np.save(trained.folder / "heatmaps.npy", maps)
    label = trained.predictions("test")["predicted"][0]
    found = mean_heatmap.of_class(trained, label)
    count = (trained.predictions("test")["predicted"] == label).sum()
    assert found.n == found.aligned == count and found.heatmap.max() <= 1
    row, column = np.unravel_index(found.heatmap.argmax(), found.heatmap.shape)
    assert 0.4 < row / mean_heatmap.SIZE < 0.85 and column / mean_heatmap.SIZE < 0.4
    table = trained.table
    table["lungs"] = ""
    trained.write_table("table.parquet", table)
    assert mean_heatmap.of_class(trained, label).aligned == count, "the segmenter finds a phantom's lungs"


def test_mean_heatmap_is_of_a_smaller_sample_where_the_lungs_have_to_be_found(trained, monkeypatch):
    monkeypatch.setattr(mean_heatmap, "MOST", 3)
    monkeypatch.setattr(mean_heatmap, "FEWEST", 1)
    tests = trained.predictions("test").assign(predicted="COVID")
    trained.write_table("predictions.parquet", tests)
    sizes = []
    for lungs, segmented in ((trained.table["lungs"], 0), ("", 6), ("", 2)):
        trained.write_table("table.parquet", trained.table.assign(lungs=lungs))
        monkeypatch.setattr(mean_heatmap, "MOST_SEGMENTED", segmented)  # of three classes
        found = mean_heatmap.of_class(trained, "COVID")
        sizes.append((found.n, found.all))
    assert sizes == [(3, len(tests)), (2, len(tests)), (1, len(tests))]


def test_class_that_is_never_predicted_has_no_mean_heatmap(trained):
    tests = trained.predictions("test")
    tests["predicted"] = "COVID"
    trained.write_table("predictions.parquet", tests)
    assert mean_heatmap.of_class(trained, "NORMAL") is None


def test_frame_is_as_large_as_the_longer_side_of_the_map():
    found = uncrop.uncrop(np.ones((1, 1, 60, 50), np.float32), [(0.5, 1.0, 0.0, 0.25)])
    assert found.shape == (1, 1, 60, 60) and found.dtype == np.float32
    assert (found[0, 0, 30:, :15] == 1).all() and found.sum() == 30 * 15


def test_every_map_has_its_crop():
    maps = np.arange(1, 5, dtype=np.float32).reshape(2, 2, 1, 1)
    found = uncrop.uncrop(maps, [(0.0, 0.5, 0.0, 1.0), (0.5, 1.0, 0.0, 1.0)])
    assert found[:, :, 0, 0].tolist() == [[1, 2], [0, 0]] and found[:, :, -1, -1].tolist() == [[0, 0], [3, 4]]
    for crops in ([(0.0, 1.0, 0.0, 1.0)], [(0.0, 1.0, 0.0, 1.0)] * 3):
        with pytest.raises(ValueError, match="zip"):
            uncrop.uncrop(maps, crops)


def test_boxes_of_a_table_are_those_of_its_images(phantom):
    """More images than are read at once; `match` keeps the same part of each, `crop` that with the lungs."""
    table = phantom.usable.iloc[:10]
    assert uncrop.boxes(table, "match", 64) == [(0.08, 0.92, 0.08, 0.92)] * 10
    found = uncrop.boxes(table, "crop", 64)
    pixels = np.stack([load(Path(path), 64) for path in table["path"]])
    assert found == image_transforms.boxes(pixels, "crop") and len(set(found)) > 1
