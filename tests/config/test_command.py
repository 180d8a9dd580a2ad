"""The command of a run gives its config again."""

import shlex

import pytest
from typer.testing import CliRunner

from cxrcore import runs
from cxrcore.cli import app, train
from cxrcore.config import command, run_config


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"backbone": "vgg16", "weights": "random", "tap": "block4_pool", "design": {"kind": "kfold", "rounds": 3}},
        {"tune": {"epochs": 3}, "augment": {"views": 2, "rotation": 3.5, "flip": True}, "class_weights": True},
        {"split": {"kind": "tutorial", "seed": 7, "test": 0.3}, "schedule": "cosine", "tensorboard": True, "l2": 1e-4},
        {"plateau": {"patience": 2}, "keep": "last", "cleaning": "crop", "early_stopping": 0, "head": "hidden"},
    ],
)
def test_it_gives_the_same_config(values, phantom, monkeypatch):
    made = run_config.make(dataset="phantom", **values)
    seen = []
    monkeypatch.setattr(train.pipeline, "run", lambda chosen, *rest: seen.append(chosen))
    monkeypatch.setattr(train, "report", lambda *rest: None)
    words = shlex.split(command.command(made.model_dump(mode="json")))
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, result.output
    assert seen == [made]


def test_the_tutorials_recipe_is_spelled_out(phantom):
    made = run_config.make("tutorial", dataset="phantom", backbone="xception")
    text = command.command(made.model_dump(mode="json"))
    assert text.startswith("cxr train --data phantom --backbone xception") and "--head tutorial" in text
    assert "--set split.seed=40" in text and "--set keep=last" in text
    assert runs.listing() == []
