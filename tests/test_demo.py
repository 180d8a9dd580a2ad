"""The demonstration's dataset; its run and its pointing game are figures of the README's command `cxr demo`."""

import pytest

from cxrcore import demo
from cxrcore.data.phantom import dataset as phantoms


@pytest.fixture
def small(monkeypatch):
    """Three patients a class by default, so that drawing takes no time."""
    monkeypatch.setattr(phantoms, "DEFAULTS", {"seed": 0, "patients": 3, "images": 1, "planted_class": None})
    draw = phantoms.create
    monkeypatch.setattr(phantoms, "create", lambda name, **options: draw(name, patients=3, images=1, **options))
    return draw


def test_it_draws_once_and_takes_what_is_there(small):
    assert demo.prepare().name == "phantom"
    assert demo.prepare().name == "phantom"


def test_a_users_dataset_of_that_name_is_not_taken_for_it(small):
    small("phantom", patients=3, images=1, planted_class="COVID")
    assert demo.prepare().name == "phantom-2"
    assert demo.prepare().name == "phantom-2"


def test_the_pointing_game_counts_right_predictions_with_lesions(trained):
    found = demo.pointing_game(trained)
    table = trained.predictions("test")
    assert found["n"] == int(((table["lesions"] != "") & table["correct"]).sum()) > 0
    assert found["value"] == found["successes"] / found["n"]


def test_a_third_of_the_demonstration_is_right_and_points_at_the_lesions(monkeypatch):
    monkeypatch.setattr(phantoms, "DEFAULTS", {"seed": 0, "patients": 20, "images": 2, "planted_class": None})
    phantoms.create("phantom", patients=20, images=2)
    run, pointing_game = demo.demo()
    assert run.metrics["n"] == 24 and run.metrics["accuracy"]["value"] >= 0.9
    assert pointing_game["n"] >= 14 and pointing_game["value"] >= 0.9
