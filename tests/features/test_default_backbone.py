"""The backbone that is used where none was chosen."""

import pytest

from cxrcore.features import default_backbone
from cxrcore.features.backbones import BACKBONES


@pytest.fixture
def with_weights(tmp_path, monkeypatch):
    """Make it look as if only these backbones' weights are on the machine."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("CXR_WEIGHTS_DIR", str(tmp_path))

    def put(*keys):
        for key in keys:
            (tmp_path / f"{key}_notop.weights.h5").touch()

    return put


def test_the_best_whose_weights_are_on_the_machine_is_the_default(with_weights):
    with_weights("vgg16", "mobilenetv2")
    assert default_backbone.choose(phantom=False).backbone.key == "mobilenetv2"
    with_weights("xception")
    found = default_backbone.choose(phantom=False)
    assert found.backbone.key == "xception"
    assert str(found.reason) == "Xception: best of those whose weights are on this machine."


def test_the_smallest_download_is_the_default_where_no_weights_are_on_the_machine(with_weights):
    found = default_backbone.choose(phantom=False)
    assert found.backbone.megabytes == min(b.megabytes for b in BACKBONES.values() if b.download)
    assert str(found.reason) == "MobileNetV2: the smallest download (9 MB), as no weights are on this machine."


def test_cxrtiny_is_the_default_for_phantoms_alone(with_weights):
    with_weights("xception")
    found = default_backbone.choose(phantom=True)
    assert str(found.reason) == "CXRTiny is trained on synthetic X-rays: for demonstrations."
    assert set(default_backbone.PREFERENCE) == set(BACKBONES) - {"cxrtiny"}


def test_the_tutorial_begins_with_xception_even_where_other_weights_are_on_the_machine(with_weights):
    with_weights("vgg16")
    assert default_backbone.choose(phantom=True, preset="tutorial").backbone.key == "xception"
