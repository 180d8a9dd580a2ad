"""Models that were placed into a run's folder from elsewhere: only layers that this program saves are loaded."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from cxrcore.errors import DamagedFileError, UserError
from cxrcore.features.backbones import BACKBONES
from cxrcore.features.key import FeatureKey
from cxrcore.features.weights import Weights
from cxrcore.inference import model_check, saved_model
from cxrcore.training import heads


def rewritten(path, change):
    """Replace a `.keras` file by one whose files, name to bytes, were changed."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def first_layer(**values):
    def change(files):
        config = json.loads(files["config.json"])
        config["config"]["layers"][0] |= values
        files["config.json"] = json.dumps(config).encode()

    return change


def external_link(files):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["x"] = h5py.ExternalLink("/etc/passwd", "/")
    files["model.weights.h5"] = buffer.getvalue()


HOSTILE = {
    "Lambda": first_layer(class_name="Lambda"),
    "builtins.eval": first_layer(class_name="eval", module="builtins"),
    "os.system": first_layer(class_name="system", module="os"),
    "keras.layers.InputLayer": first_layer(registered_name="evil>InputLayer"),
    "keras.layers.TFSMLayer": first_layer(class_name="TFSMLayer"),
    "__lambda__": first_layer(config={"activation": {"class_name": "__lambda__", "config": {"value": "4wEA"}}}),
    "expected the files": lambda files: files.update({"assets/../../evil": b"x"}),
    "config.json is too large": lambda files: files.update({"config.json": b" " * (16 * 2**20 + 1)}),
    "x is a link": external_link,
}


@pytest.mark.parametrize("reason", HOSTILE)
def test_hostile_model_is_refused_with_its_reason(trained, reason):
    rewritten(trained.model_file, HOSTILE[reason])
    with pytest.raises(UserError, match=reason):
        saved_model.load_head(trained)


def test_model_without_a_config_that_is_json_is_damaged(trained):
    rewritten(trained.model_file, lambda files: files.update({"config.json": b"{"}))
    with pytest.raises(DamagedFileError):
        saved_model.load_head(trained)


@pytest.mark.parametrize("kind", ["gap", "probe", "hidden", "tutorial"])
def test_models_of_this_program_pass(kind, tmp_path):
    key = FeatureKey(backbone="cxrtiny", weights="", size=64, preprocessing="torch", tap=BACKBONES["cxrtiny"].taps[-1])
    features = key.build(Weights(None, "random-0"))
    model = saved_model.assemble(features, heads.build(kind, features.output_shape[1:], 3, 0.2))
    model.save(tmp_path / "model.keras")
    model_check.check(tmp_path / "model.keras")
    loaded = saved_model._load(tmp_path / "model.keras")
    pixels = np.full((1, 64, 64, 3), 90, np.float32)
    np.testing.assert_allclose(loaded(pixels), model(pixels), atol=1e-6)
