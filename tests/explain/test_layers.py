"""The layer at which a method explains a run."""

from pathlib import Path

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.explain import layers, methods
from cxrcore.explain.explainer import Explainer
from cxrcore.explain.layers import POOLED
from cxrcore.inference.classifier import Classifier
from cxrcore.training import pipeline


def test_tutorial_method_explains_the_pooled_layer_whatever_is_chosen(phantom):
    config = run_config.make(dataset="phantom", size=64, epochs=2, head="tutorial")
    run = pipeline.run(config, runs.create(config).folder)
    explainer, path = Explainer(Classifier(run), run.config), Path(run.predictions("test")["path"][0])
    at_tap, pooled = (explainer.explain(path, layer, "tutorial").heatmaps for layer in (run.config.tap, POOLED))
    assert at_tap.shape == (3, 4, 4) and (at_tap == pooled).all()


def test_fixed_layer_of_methods():
    assert methods.fixed_layer("tutorial", ["block5_out", "fused", "pooled"]) == "pooled"
    assert methods.fixed_layer("tutorial", ["block5_out", "fused"]) == "", "a run without the pooled layer"
    assert methods.fixed_layer("occlusion", ["block5_out", "fused"]) == "block5_out"
    assert methods.fixed_layer("layercam", ["block5_out", "fused", "pooled"]) == ""


def _config(tap, head="gap"):
    return run_config.make(dataset="d", backbone="vgg16", tap=tap, head=head)


def test_layers_of_one_tap_are_those_not_deeper_than_it():
    assert layers.single_taps(_config("block3_pool")) == ["block3_pool", "block2_pool"]
    assert layers.taps(_config("block3_pool")) == ["block3_pool", "block2_pool"]
    assert layers.choices(_config("block3_pool")) == ["block3_pool", "block2_pool", "fused"]


def test_shallowest_tap_has_nothing_to_fuse_with():
    assert layers.choices(_config("block2_pool")) == ["block2_pool"]
    assert layers.choices(_config("block2_pool", "tutorial")) == ["block2_pool", "pooled"]


def test_joined_taps_come_first_as_one_layer():
    config = _config("block2_pool+block3_pool", "logistic")
    assert layers.single_taps(config) == ["block3_pool", "block2_pool"]
    assert layers.choices(config) == ["block2_pool+block3_pool", "block3_pool", "block2_pool", "fused"]
