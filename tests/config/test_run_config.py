import pytest

from cxrcore.config import run_config
from cxrcore.errors import UserError


def test_the_tutorial_preset_to_the_letter():
    made = run_config.make("tutorial", dataset="d", backbone="xception")
    assert (made.size, made.preprocessing_mode, made.head, made.dropout) == (237, "unit", "tutorial", 0.2)
    assert (made.learning_rate, made.batch_size, made.epochs, made.keep) == (1e-3, 15, 80, "last")
    assert (made.split.kind, made.split.test, made.split.validation, made.split.seed) == (
        "tutorial",
        0.2,
        0.1,
        40,
    )
    plateau = made.plateau
    assert (plateau.factor, plateau.patience, plateau.minimum, plateau.cooldown) == (0.2, 5, 1e-3, 5)
    assert made.tap == "block14_sepconv2_act" and made.weights == "imagenet" and made.early_stopping == 0


def test_the_default_is_by_patient_with_native_preprocessing():
    made = run_config.make(dataset="d", backbone="vgg16")
    assert made.split.kind == "patient" and made.preprocessing_mode == "caffe" and made.size == 237


def test_the_values_survive_being_written():
    made = run_config.make("tutorial", dataset="d", backbone="vgg16", tap="block4_pool")
    assert run_config.RunConfig(**made.model_dump(mode="json")) == made


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": -1}, r"learning_rate: expected greater than 0. Received: -1"),
        ({"epochs": 0}, r"epochs: expected greater than or equal to 1. Received: 0"),
        ({"head": "big"}, r"head: expected 'gap', 'tutorial', 'probe' or 'hidden'. Received: 'big'"),
        ({"rate": 1}, r"rate: there is no such setting"),
        ({"backbone": "resnet"}, r"backbone: expected one of .* Received: 'resnet'"),
        ({"tap": "nowhere"}, r"tap of cxrtiny: expected one of block3a_out.* Received: 'nowhere'"),
        ({"size": 4000}, r"size of cxrtiny: expected 64 to 512 pixels. Received: 4000"),
        ({"weights": "imagenet"}, r"weights of cxrtiny: expected one of bundled.* Received: 'imagenet'"),
        ({"weights": "file"}, "weights_file: expected a path"),
        ({"split": {"test": 0.9}}, r"split.test: expected less than or equal to 0.5. Received: 0.9"),
    ],
)
def test_a_wrong_setting_says_name_expectation_and_value(values, message):
    with pytest.raises(UserError, match=message):
        run_config.make(dataset="d", **values)


def test_an_unknown_preset():
    with pytest.raises(UserError, match="preset: expected one of studio, tutorial"):
        run_config.make("fancy", dataset="d")
