"""Which layer a method is explained at: one rule for every caller."""

from pathlib import Path

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.explain import methods
from cxrcore.explain.explainer import Classifier
from cxrcore.explain.layers import POOLED
from cxrcore.training import pipeline


def test_the_tutorials_method_is_at_their_layer_wherever_it_is_asked_for(phantom):
    made = run_config.make(dataset="phantom", size=64, epochs=2, head="tutorial")
    run = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    classifier, path = Classifier(run), Path(run.predictions("test")["path"][0])
    asked, pooled = (classifier.explain(path, layer, "tutorial").heatmaps for layer in (run.config["tap"], POOLED))
    assert asked.shape == (3, 4, 4) and (asked == pooled).all()


def test_a_method_leaves_a_choice_of_layers_or_none():
    assert methods.fixed_layer("tutorial", ["block5_out", "fused", "pooled"]) == "pooled"
    assert methods.fixed_layer("tutorial", ["block5_out", "fused"]) == "", "a run without their layer"
    assert methods.fixed_layer("occlusion", ["block5_out", "fused"]) == "block5_out"
    assert methods.fixed_layer("layercam", ["block5_out", "fused", "pooled"]) == ""
