"""The demo: its dataset, its run and its pointing game."""

import pytest

from cxrcore import demo
from cxrcore.data.info import PhantomSettings
from cxrcore.data.phantom import dataset as phantoms


@pytest.fixture
def small(monkeypatch):
    """Three patients per class by default, so that generating takes no time."""
    monkeypatch.setattr(phantoms, "DEFAULTS", PhantomSettings(patients=3, images=1))
    create = phantoms.create
    monkeypatch.setattr(phantoms, "create", lambda name, **options: create(name, patients=3, images=1, **options))
    return create


def test_demo_dataset_is_generated_once(small):
    assert demo.prepare().name == "phantom"
    assert demo.prepare().name == "phantom"


def test_dataset_of_a_user_with_the_same_name_is_not_used(small):
    small("phantom", patients=3, images=1, planted_class="COVID")
    assert demo.prepare().name == "phantom-2"
    assert demo.prepare().name == "phantom-2"


def test_pointing_game_counts_correct_predictions_with_lesions(trained):
    found = demo.lesion_hits(trained)
    table = trained.predictions("test")
    assert found.n == int(((table["lesions"] != "") & table["correct"]).sum()) > 0
    assert found.value == found.successes / found.n


def test_demo_model_is_accurate_and_points_at_the_lesions(monkeypatch):
    monkeypatch.setattr(phantoms, "DEFAULTS", PhantomSettings(patients=20, images=2))
    phantoms.create("phantom", patients=20, images=2)
    run, pointing_game = demo.demo()
    assert run.metrics.n_test == 24 and run.metrics.test.accuracy.value >= 0.9
    assert pointing_game.n >= 14 and pointing_game.value >= 0.9
