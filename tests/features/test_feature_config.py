"""What determines activations, as training and every audit use it."""

from pathlib import Path

import pytest

from cxrcore.config import run_config
from cxrcore.errors import UserError
from cxrcore.features import image_transforms, lung_segmenter
from cxrcore.features.config import FeatureConfig
from cxrcore.features.cxrtiny import BUNDLED_WEIGHTS


def test_defaults_follow_the_backbone():
    config = FeatureConfig(backbone="vgg16", tap="block4_pool")
    assert (config.size, config.weights, config.preprocessing_mode) == (237, "imagenet", "caffe")
    assert FeatureConfig(preprocessing="unit").preprocessing_mode == "unit"
    with pytest.raises(UserError, match="backbone: expected one of"):
        FeatureConfig(backbone="other")


def test_key_holds_everything_that_determines_the_activations():
    key = FeatureConfig(backbone="densenet121", size=96, image_transform="equalise").key("digest")
    assert (key.backbone, key.weights, key.size, key.preprocessing) == ("densenet121", "digest", 96, "torch")
    assert (key.tap, key.image_transform, key.lungs, key.pooled, key.view) == ("relu", "equalise", "", False, 0)


def test_key_of_a_run_is_that_of_its_features():
    values = {"backbone": "mobilenetv2", "size": 64, "weights": "random", "seed": 3}
    config = run_config.make(dataset="d", head="gap", **values)
    assert config.key("w") == FeatureConfig(**values).key("w") and config.resolve() == FeatureConfig(**values).resolve()
    assert config.resolve().digest == "random-3"


def test_key_of_another_transform_names_the_source_of_its_lungs():
    config = FeatureConfig(image_transform="crop")
    assert config.key("w").lungs == lung_segmenter.digest()
    assert config.key("w", "border:3").lungs == "" and config.key("w", "").image_transform == ""
    masked = config.key("w", "only-lungs+equalise", lungs_from_files=True, pooled=True)
    assert (masked.image_transform, masked.lungs) == ("only-lungs+equalise", image_transforms.LUNGS_FROM_FILES)
    assert masked.pooled


def test_weights_from_a_file_are_resolved(tmp_path):
    """The path is one also when the config was read from text."""
    config = FeatureConfig.model_validate_json(f'{{"weights_file": "{BUNDLED_WEIGHTS}"}}')
    assert config.weights == "file" and isinstance(config.weights_file, Path)
    assert config.resolve().digest == FeatureConfig().resolve().digest
    with pytest.raises(UserError, match="there is no file"):
        FeatureConfig(weights_file=tmp_path / "none.weights.h5").resolve()


def test_engine_is_part_of_the_key(monkeypatch):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    config = FeatureConfig(backbone="mobilenetv2", weights="random")
    assert config.key("w").engine == ""
    monkeypatch.setenv("CXR_OPENVINO", "1")
    assert config.key("w").engine == "openvino"
    assert FeatureConfig().key("w").engine == "", "CXRTiny is computed by Keras"
