import pytest
import yaml

from cxrcore.config import run_config
from cxrcore.config.run_config import RunConfig, make, parse_override
from cxrcore.errors import NewerFileError, UserError


def _message(*layers, **values):
    with pytest.raises(UserError) as raised:
        make("recommended", {"dataset": "d"}, *layers, **values)
    text = str(raised.value)
    assert len(text.splitlines()) == 1
    return text


def test_tutorial_preset():
    made = make("tutorial", dataset="d", backbone="xception")
    assert (made.size, made.preprocessing_mode, made.head, made.dropout) == (237, "unit", "tutorial", 0.2)
    assert (made.learning_rate, made.batch_size, made.epochs, made.keep) == (1e-3, 15, 80, "last")
    split = made.split
    assert (split.kind, split.test, split.validation, split.seed) == ("tutorial", 0.2, 0.1, 40)
    plateau = made.plateau
    assert (plateau.factor, plateau.patience, plateau.minimum, plateau.cooldown) == (0.2, 5, 1e-3, 5)
    assert made.tap == "block14_sepconv2_act" and made.weights == "imagenet" and made.early_stopping == 0


def test_defaults_follow_the_backbone():
    made = make(dataset="d", backbone="vgg16", head="gap")
    assert made.split.kind == "patient" and made.preprocessing_mode == "caffe" and made.size == 237
    assert made.weights == "imagenet" and made.tap == "block5_pool"
    assert make(dataset="d", weights_file="a.weights.h5").weights == "file"


def test_override_keeps_the_other_values_of_a_preset_section():
    made = make("tutorial", {"dataset": "d"}, parse_override("plateau.patience=3"))
    assert made.plateau.model_dump() == {"factor": 0.2, "patience": 3, "cooldown": 5, "minimum": 1e-3}


def test_override_keeps_the_other_values_of_a_file_section(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("dataset: d\naugment: {views: 8, rotation: 20}\ntune: {after: block3b_out, learning_rate: 0.002}\n")
    overrides = [parse_override(text) for text in ("augment.contrast=0.3", "tune.epochs=4")]
    made = make("recommended", run_config.read(file), *overrides)
    assert (made.augment.views, made.augment.rotation, made.augment.contrast) == (8, 20, 0.3)
    assert made.tune.model_dump() == {"after": "block3b_out", "learning_rate": 0.002, "epochs": 4}


def test_section_can_be_switched_off_and_on():
    assert make("tutorial", {"dataset": "d"}, parse_override("plateau=null")).plateau is None
    assert make("recommended", {"dataset": "d", "plateau": None}, parse_override("plateau.patience=9")).plateau == (
        run_config.PlateauConfig(patience=9)
    )
    assert make(dataset="d", augment={}).augment == run_config.AugmentConfig()


def test_fine_tuning_starts_at_the_tap_before():
    assert make(dataset="d", tune={}).tune.after == "block4c_out"
    vgg16 = make(dataset="d", backbone="vgg16", tune={})
    assert vgg16.tune.after == "block4_pool", "a pooling layer has no weights"
    assert "tune.after: expected a tap of cxrtiny before block3a_out" in _message(tap="block3a_out", tune={})
    assert "Received: 'block5_out'" in _message(tune={"after": "block5_out"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": -1}, "learning_rate: expected greater than 0. Received: -1"),
        ({"learning_rate": float("nan")}, "learning_rate: expected less than or equal to 10. Received: nan"),
        ({"epochs": 0}, "epochs: expected greater than or equal to 1. Received: 0"),
        ({"epochs": 100 + 100_000}, "epochs: expected less than or equal to 100000. Received: 100100"),
        ({"head": "big"}, "head: expected 'logistic', 'gap', 'tutorial', 'probe' or 'hidden'. Received: 'big'"),
        ({"rate": 1}, "rate: there is no such setting"),
        ({"plateau": {"wait": 1}}, "plateau.wait: there is no such setting"),
        ({"backbone": "resnet"}, "backbone: expected one of cxrtiny, mobilenetv2"),
        ({"tap": "nowhere"}, "tap of cxrtiny: expected one of block3a_out"),
        ({"size": 4000}, "size of cxrtiny: expected 64 to 512 pixels. Received: 4000"),
        ({"weights": "imagenet"}, "weights of cxrtiny: expected one of bundled"),
        ({"weights": "file"}, "weights_file: expected a path"),
        ({"weights_file": [1]}, "weights_file: Input is not a valid path"),
        ({"split": {"test": 0.9}}, "split.test: expected less than or equal to 0.5. Received: 0.9"),
        ({"split": 5}, "split: expected a valid dictionary"),
        ({"design": 5}, "design: there is no such setting"),
        ({"optimizer": "lion"}, "optimizer: expected 'adam', 'adamw' or 'sgd'. Received: 'lion'"),
        ({"schedule": "steps"}, "schedule: expected 'plateau', 'cosine' or 'constant'. Received: 'steps'"),
        ({"label_smoothing": 0.5}, "label_smoothing: expected less than 0.5. Received: 0.5"),
        ({"l2": -1}, "l2: expected greater than or equal to 0. Received: -1"),
        ({"resampling": {"folds": 2, "repeats": 2}}, "resampling: choose folds or repeats, not both"),
        ({"resampling": {"folds": 1}}, "resampling: expected at least 2 folds or repeats"),
        ({"split": {"kind": "given"}, "resampling": {"folds": 2}}, "the split given by the source is a single one"),
    ],
)
def test_invalid_value_is_one_line_with_name_expected_and_received(values, message):
    assert message in _message(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("head.x=1", "head: expected 'logistic', 'gap', 'tutorial', 'probe' or 'hidden'. Received: {'x': 1}"),
        ("backbone.x=1", "backbone: expected a valid string. Received: {'x': 1}"),
        ("backbone=[1]", "backbone: expected a valid string. Received: [1]"),
        ("size=[1]", "size: expected a valid integer. Received: [1]"),
        ("tune={1: 2}", "tune.1: Keys should be strings"),
        ("epochs=1e3", "epochs: expected a valid integer"),
    ],
)
def test_override_with_an_invalid_value(text, message):
    assert message in _message(parse_override(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("l2=[1", "--set l2: [1 is not a value (while parsing a flow sequence)"),
        ("epochs=!!python/x 1", "--set epochs: !!python/x 1 is not a value"),
        ("head", "--set: expected name=value. Received: head"),
        ("=3", "--set: expected name=value. Received: =3"),
        ("a..b=3", "--set: expected name=value. Received: a..b=3"),
    ],
)
def test_override_that_cannot_be_parsed(text, message):
    with pytest.raises(UserError) as raised:
        parse_override(text)
    assert message in str(raised.value) and len(str(raised.value).splitlines()) == 1


def test_unknown_preset():
    with pytest.raises(UserError, match=r"preset: expected one of recommended, tutorial. Received: 'fancy'"):
        make("fancy", dataset="d")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dataset: [1", "cannot be read as YAML"),
        ("- 1", "expected names with values. Received: list"),
        ("", "expected names with values. Received: NoneType"),
        (b"\xff\xfe\x00", "cannot be read as YAML"),
        (None, "cannot be read as YAML"),
    ],
)
def test_unreadable_file_is_one_line(content, message, tmp_path):
    file = tmp_path / "run.yaml"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError) as raised:
        run_config.read(file)
    assert message in str(raised.value) and len(str(raised.value).splitlines()) == 1


def test_yaml_of_a_config_reads_back_equal(tmp_path):
    made = make("tutorial", dataset="d", backbone="vgg16", tap="block4_pool", augment={"flip": True}, tune={})
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(made.plain()))
    assert make("recommended", run_config.read(file)) == made


def test_json_of_a_config_reads_back_equal(tmp_path):
    made = make("tutorial", dataset="d", weights_file="a.weights.h5", resampling={"folds": 3})
    made.write(tmp_path / "config.json")
    assert RunConfig.read(tmp_path / "config.json") == made


@pytest.mark.parametrize(
    ("design", "kind", "count"),
    [
        ({"kind": "holdout", "rounds": 5}, "holdout", 1),
        ({"kind": "kfold", "rounds": 3}, "kfold", 3),
        ({"kind": "repeated", "rounds": 4}, "repeated", 4),
        ({"kind": "kfold"}, "kfold", 5),  # version 1 had five by default
    ],
)
def test_version_1_is_migrated(design, kind, count, tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump({"dataset": "d", "cleaning": "crop", "design": design}))
    for made in (make("recommended", run_config.read(file)), RunConfig.read(_as_json(file))):
        assert made.image_transform == "crop"
        assert (made.resampling.kind, made.resampling.count) == (kind, count)


def _as_json(file):
    import json

    found = file.with_suffix(".json")
    found.write_text(json.dumps(yaml.safe_load(file.read_text())))
    return found


def test_damaged_version_1_section_is_reported(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("dataset: d\ndesign: 5")
    assert "resampling: expected a valid dictionary" in _message(run_config.read(file))


def test_newer_file_is_refused(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("dataset: d\nschema_version: 3\n")
    with pytest.raises(NewerFileError, match="newer version"):
        run_config.read(file)


HOSTILE_YAML = {
    "aliases are not read": "a: &a [1, 1]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "over 100000 characters": "dataset: " + "x" * 100_000,
    "nested more than 20 deep": "[" * 40_000,
    "nested more than": "a:\n" + "".join(" " * n + "- a:\n" for n in range(2, 200, 2)),
    "tags are not read": "!!python/object/apply:os.system [id]",
    "(?s)tags are .*": "!!int ''",
    "over 3000 characters": "a: 0x" + "f" * 9000,
    "too large to convert": "a: 1" + ":59" * 900 + ".5",
    "day is out of range|month must be": "a: 2026-13-45",
}


@pytest.mark.parametrize("reason", HOSTILE_YAML)
def test_hostile_yaml_is_refused(tmp_path, reason):
    (tmp_path / "config.yaml").write_text(HOSTILE_YAML[reason])
    with pytest.raises(UserError, match=reason):
        run_config.read(tmp_path / "config.yaml")
    with pytest.raises(UserError, match=reason):
        parse_override("tap=" + HOSTILE_YAML[reason].replace("a: 2026", "2026"))
