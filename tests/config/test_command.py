"""The command of a run gives its config again."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cxrcore.cli.options import Data, make_config, with_settings
from cxrcore.config.command import command
from cxrcore.config.run_config import RunConfig, make, merge, nested, validated
from cxrcore.features.backbones import BACKBONES
from cxrcore.fields import setting_fields

parsed: list[RunConfig] = []
app = typer.Typer()


@app.command()
@with_settings()
def train(data: Data = None, *, settings: dict[str, Any]) -> None:
    parsed.append(make_config("recommended", None, data, settings))


def _parse(text):
    """Return the config of the words after `cxr train`."""
    words = shlex.split(text)
    assert words[:2] == ["cxr", "train"]
    result = CliRunner().invoke(app, words[2:], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return parsed.pop()


def _value(field):
    """Return a strategy of the values of a setting without a rule of its own."""
    if field.choices:
        return st.sampled_from(field.choices)
    if field.kind is bool:
        return st.booleans()
    low, high = field.low or 0, 100 if field.high is None else field.high
    if field.kind is int:
        return st.integers(int(low), int(high) - 1)
    return st.floats(low, high, exclude_min=True, exclude_max=True)


@st.composite
def configs(draw):
    backbone = BACKBONES[draw(st.sampled_from(["cxrtiny", "vgg16", "xception"]))]
    tap = draw(st.sampled_from(backbone.taps))
    made = {"dataset": "my data", "dataset_version": 3, "backbone": backbone.key, "tap": tap}
    made["size"] = draw(st.integers(*backbone.sizes))
    made |= draw(st.sampled_from([{}, {"weights": "random"}, {"weights_file": Path("a folder/x.weights.h5")}]))
    resampling = [{}, {"folds": 3}, {"repeats": 4}]
    made["resampling"] = draw(st.sampled_from(resampling))
    off = {name for name in ("tune", "plateau", "augment") if draw(st.booleans())}
    earlier = backbone.before(tap)
    if not earlier:
        off.add("tune")
    own = {*made, "weights", "weights_file", "resampling.folds", "resampling.repeats", "tune.after"}
    for field in setting_fields(RunConfig):
        section = field.section
        if field.name not in own and not field.is_section and section not in off and draw(st.booleans()):
            made = merge(made, nested(field.name, draw(_value(field))))
    for name in ("tune", "plateau", "augment"):
        made[name] = None if name in off else made.get(name, {})
    if made.get("head") == "logistic":
        made["tune"] = None
    if made["tune"] is not None:
        made["tune"]["after"] = draw(st.sampled_from(earlier))
    if made["resampling"]:
        made.get("split", {}).pop("kind", None)
    return validated(made)


@settings(max_examples=25, deadline=None)
@given(configs())
def test_command_gives_an_equal_config(made):
    assert _parse(command(made)) == made.model_copy(update={"dataset_version": 0})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"backbone": "vgg16", "weights": "random", "tap": "block4_pool", "resampling": {"folds": 3}},
        {"tune": {"epochs": 3}, "augment": {"views": 2, "rotation": 3.5, "flip": True}, "class_weights": True},
        {"split": {"kind": "tutorial", "seed": 7, "test": 0.3}, "schedule": "cosine", "tensorboard": True, "l2": 1e-4},
        {"plateau": {"patience": 2}, "keep": "last", "image_transform": "crop", "early_stopping": 0, "head": "hidden"},
        {"plateau": None, "augment": {}, "weights_file": "it's here/x.weights.h5"},
    ],
)
def test_command_of_single_settings(values):
    made = make(dataset="d", **values)
    assert _parse(command(made)) == made


def test_command_of_the_tutorial_preset_spells_it_out():
    made = make("tutorial", dataset="phantom", backbone="xception")
    text = command(made)
    assert text.startswith("cxr train --data phantom --backbone xception --preprocessing unit")
    assert "--head tutorial" in text and "--split-seed 40" in text and "--keep last" in text
    assert _parse(text) == made


def test_default_config_has_the_shortest_command():
    assert command(make(dataset="d")) == "cxr train --data d --backbone cxrtiny"


def test_file_options_and_overrides_are_merged_in_this_order(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("dataset: of the file\nbackbone: cxrtiny\naugment: {views: 8, rotation: 20}\nepochs: 3\nl2: 0.1\n")
    made = make_config("tutorial", file, "d", {"epochs": 4, "augment": {"flip": True}}, ["l2=0.2", "augment.zoom=0.1"])
    assert (made.dataset, made.head, made.epochs, made.l2) == ("d", "tutorial", 4, 0.2)
    assert made.augment.model_dump() == {
        "views": 8,
        "rotation": 20,
        "shift": 0.05,
        "zoom": 0.1,
        "contrast": 0.15,
        "flip": True,
    }
