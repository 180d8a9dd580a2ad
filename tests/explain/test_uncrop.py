"""Cropped images, averages and similar images."""

from pathlib import Path

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.explain import faithfulness, mean_heatmap, uncrop
from cxrcore.explain.explainer import Classifier
from cxrcore.inference import predict, similar_images
from cxrcore.training import pipeline


def test_a_map_of_a_crop_lies_where_the_crop_was():
    found = uncrop.uncropped(np.ones((1, 2, 3, 3), np.float32), [(0.25, 0.75, 0.5, 1.0)])
    assert found.shape == (1, 2, uncrop.SIDE, uncrop.SIDE)
    assert found[0, 1].sum() == uncrop.SIDE**2 / 4 and found[0, 0, 12:36, 24:].all()


@pytest.mark.parametrize("cleaning", ["crop", "match", "only-lungs", "equalise"])
def test_a_run_with_a_cleaning_cleans_every_image_it_is_asked_about(phantom, cleaning):
    made = run_config.make(dataset="phantom", size=64, epochs=3, cleaning=cleaning)
    run = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    tests, again = run.predictions("test"), predict.evaluate(run)[0]
    columns = [name for name in tests if name.startswith("p_")]
    assert columns and again[columns].to_numpy() == pytest.approx(tests[columns].to_numpy(), abs=1e-5)
    shape = (uncrop.SIDE, uncrop.SIDE) if cleaning in ("crop", "match") else (8, 8)
    assert run.heatmaps().shape == (12, 3, *shape)
    found = Classifier(run).explain(Path(tests["path"][0]), run.config["tap"])
    assert found.heatmaps == pytest.approx(run.heatmaps()[0], abs=1e-4)


def test_the_checks_of_a_cropped_run_cut_the_masks_too(phantom):
    made = run_config.make(dataset="phantom", epochs=20, cleaning="crop")
    run = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    found = faithfulness.measure(run, ["grad-cam"])["methods"]["grad-cam"]
    assert found["pointing"]["value"] > 0.9 and found["in_lesions"]["value"] > 0.4


def test_an_image_is_most_like_itself(trained):
    table = trained.table
    learned = table[table["split"] == "train"].iloc[7]
    vector = Classifier(trained).explain(Path(learned["path"]), trained.config["tap"]).vector
    found = similar_images.nearest(trained, vector, 3)
    assert found["path"][0] == learned["path"] and found["similarity"][0] == pytest.approx(1, abs=1e-2)
    assert (found["split"] == "train").all() and list(found["similarity"]) == sorted(found["similarity"], reverse=True)
    (trained.folder / similar_images.FILE).unlink()
    assert similar_images.nearest(trained, vector) is None


def test_the_average_of_a_class_is_the_mean_of_its_scaled_maps(trained):
    """All maps point at one cell of the whole image, which the crop to the lungs moves but does not lose."""
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
    trained.write_table("table.parquet", table.assign(path=table["path"]))
    assert mean_heatmap.of_class(trained, label).aligned == count, "the segmenter finds a phantom's lungs"


def test_a_class_that_was_never_called_has_no_average(trained):
    tests = trained.predictions("test")
    tests["predicted"] = "COVID"
    trained.write_table("predictions.parquet", tests)
    assert mean_heatmap.of_class(trained, "NORMAL") is None
