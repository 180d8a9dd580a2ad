"""The real X-rays and weights in ../shared, where they are at hand."""

import numpy as np
import pytest

from cxrcore import runs
from cxrcore.data.importing import import_folders
from cxrcore.training import config, pipeline
from tests.conftest import SHARED

pytestmark = [pytest.mark.shared, pytest.mark.timeout(300)]


@pytest.fixture
def real(monkeypatch):
    monkeypatch.setenv("CXR_WEIGHTS_DIR", str(SHARED / "weights"))
    return import_folders([SHARED / "data" / "covid-chestxray-dataset", SHARED / "data" / "chest_xray"], "real")


def test_the_real_folders_import_as_documented(real):
    assert real.counts() == {"COVID": 175, "NORMAL": 100, "OTHER INFECTION": 100}
    # 110 rows are lateral or CT; six of them name a file a second time
    assert real.left_out_counts() == {"view": 104, "finding": 20, "repeated": 6}
    covid = real.usable[real.usable["label"] == "COVID"]
    assert covid["patient"].nunique() == 115 and set(covid["view"]) == {"PA", "AP", "AP Supine"}


def test_real_weights_make_a_useful_classifier_on_new_patients(real):
    """MobileNetV2 at a middle tap; far above chance (0.47), with a wide margin for the split."""
    made = config.make(dataset="real", backbone="mobilenetv2", tap="block_12_add", size=160)
    run = pipeline.run(made, runs.create(made.model_dump(mode="json")).folder)
    assert run.metrics["n_test"] == pytest.approx(75, abs=8)
    assert run.metrics["accuracy"]["value"] > 0.85
    assert np.isfinite(run.heatmaps()).all()
