"""The layer at which a method explains a run."""

from pathlib import Path

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.explain import methods
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
