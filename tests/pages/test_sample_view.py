"""The dialog of one image: what it shows, its place among the others, notes and edits."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrcore.audits.dataset import audit, issues
from cxrcore.evaluation import error_analysis, reported
from cxrcore.figures import palette
from cxrcore.messages import msg
from cxrcore.ui import gallery, sample_view
from tests import synthetic_runs
from tests.pages.test_pages import _button, _texts

EVIL = synthetic_runs.NASTY[0]


def _data(test, name):
    """Return what a component was given."""
    protos = [element.proto for element in test.get("bidi_component")]
    return [json.loads(proto.json) for proto in protos if proto.component_name == name]


def _known(test):
    """Return the list of the image's properties."""
    return next(table.value["value"] for table in test.dataframe if "value" in table.value)


def test_dialog_shows_prediction_position_and_link(open_page, made):
    """Image 9 is the only NORMAL image that is predicted as the other class."""
    test = open_page("results", run=made[2].name, sample="9", true="NORMAL")
    assert "Predicted **\\<script\\>alert(1)\\</script\\>**, which is **incorrect**: it is **NORMAL**." in _texts(test)
    assert "10 of 10" in _texts(test) and _button(test, "Next").disabled and not _button(test, "Previous").disabled
    links = [link.proto for link in test.get("page_link")]
    assert [(link.page, link.query_string) for link in links] == [("explain", f"run={made[2].name}&image=9")]
    known = _known(test)
    assert known["class"] == "NORMAL" and known["source"] == "=b" and known["patient"] == "p9"
    (layers,) = _data(test, "cxr_sample")
    assert (layers["width"], layers["height"]) == (50, 40) and layers["alt"] == "X-ray 9.png"
    assert layers["picture"].startswith("data:image/jpeg") and layers["over"] not in ("", layers["picture"])


def test_dialog_is_closed_by_the_next_run_of_the_page(open_page, made):
    test = open_page("results", run=made[2].name, sample="0")
    assert "Predicted" in _texts(test)
    test.run()
    assert "Predicted" not in _texts(test) and "sample" not in test.query_params


@pytest.mark.parametrize("number", ["20", "-1", "x", "9" * 5000])
def test_unknown_image_in_the_url_opens_nothing(open_page, made, number):
    test = open_page("results", run=made[2].name, sample=number)
    assert "20 of 20 test images" in _texts(test) and not _data(test, "cxr_sample")


def test_errors_are_a_grid_whose_images_have_notes(open_page, made):
    run = made[2]
    sha256 = run.predictions("test")["sha256"][9]
    test = open_page("results", run=run.name, tab="Errors", sample="9")
    errors, correct = _data(test, "cxr_gallery")
    assert [card["wrong"] for card in errors["cards"]] == ["incorrect"] * 3 and errors["clickable"]
    assert [card["wrong"] for card in correct["cards"]] == [""] * 10
    assert errors["cards"][0]["lines"] == ["true NORMAL", "margin 0.60"]
    assert "1 of 3" in _texts(test)
    test.text_area[0].set_value("a *second* look").run()
    assert error_analysis.read_notes(run) == {sha256: "a *second* look"}
    errors, _ = _data(test, "cxr_gallery")
    assert errors["cards"][0]["lines"][-1] == "note: a *second* look"


def test_read_only_dialog_shows_notes_and_no_folder(open_page, made, monkeypatch):
    run = made[2]
    error_analysis.write_note(run, run.predictions("test")["sha256"][9], "![x](https://host/t.png)")
    run.show(True)
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    test = open_page("results", run=run.name, tab="Errors", sample="9")
    assert not test.text_area and "**note**: !\\[x\\](https" in _texts(test)
    assert "path" not in _known(test) and "9.png" not in _texts(test)


def test_image_of_a_later_fold_has_no_heatmap(open_page, made):
    run = synthetic_runs.fold(made[2], "kfold", [10])
    test = open_page("results", run=run.name, sample="30")
    assert "No heatmap of this image is kept" in _texts(test) and _data(test, "cxr_sample")[0]["over"] == ""
    assert test.get("page_link")[0].proto.query_string.endswith("image=30")


def test_one_image_of_two_runs(made):
    run, other = made[2], made[10]
    tables = [reported.load(each).table for each in (run, other)]
    found = sample_view.of_runs([(run, tables[0], 9), (other, tables[1], 4)])
    assert found.path == tables[0]["path"][9] and found.true == "NORMAL"
    assert [each.number for each in found.predictions] == [9, 4]
    highest = [max(each.probabilities, key=each.probabilities.get) for each in found.predictions]
    assert highest == [EVIL, tables[1]["predicted"][4]]
    kept = run.heatmaps()
    np.testing.assert_array_equal(found.predictions[0].heatmap, kept[9, 1])


def test_missing_heatmaps_do_not_hide_the_image(made):
    (made[2].folder / "heatmaps.npy").unlink()
    found = sample_view.of_run(made[2], reported.load(made[2]).table, 0)
    assert found.predictions[0].heatmap is None


def test_masks_are_outlined_and_copies_named(open_page, phantom):
    """The outlines of a phantom's lungs are blue; an X-ray has no colours."""
    pair = issues.issue("near-duplicate", "same", msg("2 images."), [0, 1], groups=[[0, 1]])
    audit.run(phantom).model_copy(update={"issues": [pair]}).write(phantom.folder / audit.FILE)
    test = open_page("data", view="Images", sample="0")
    assert "1 of 60" in _texts(test) and _button(test, "Relabel")
    assert _known(test)["duplicates"] == Path(phantom.table["path"][1]).name
    (layers,) = _data(test, "cxr_sample")
    assert layers["over"] == ""
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(layers["picture"].split(",")[1])))).astype(int)
    assert (shown[..., 2] - shown[..., 0] > 40).sum() > 100


def test_card_is_given_to_the_grid_as_text_and_pictures(save):
    path = save("a.png", np.full((20, 10), 90, np.uint8))
    card = gallery.Card(str(path), "COVID", "predicted COVID 97%", ("true <NORMAL>", ""), True, np.ones((2, 2)))
    found = gallery.content(card, palette.class_styles(["COVID"]))
    assert found["alt"] == "X-ray a.png: predicted COVID 97%. true <NORMAL>. "
    assert found["lines"] == ["true <NORMAL>"] and found["wrong"] == "incorrect"
    assert found["picture"].startswith("data:image/jpeg") and found["over"] != found["picture"]
    gone = gallery.content(gallery.Card(str(path.with_name("b.png")), "", "x"), {})
    assert gone["picture"] == gone["over"] == "" and gone["gone"].startswith("b.png: ")


def test_large_image_is_reduced_and_undistorted(open_page, made, tmp_path):
    picture = tmp_path / "wide.png"
    Image.fromarray(np.zeros((600, 3000), np.uint8)).save(picture)
    table = made[2].read_table("predictions.parquet")
    made[2].write_table("predictions.parquet", table.assign(path=str(picture)))
    test = open_page("results", run=made[2].name, sample="0")
    (layers,) = _data(test, "cxr_sample")
    assert 1000 <= layers["width"] <= 1100 and layers["width"] / layers["height"] == pytest.approx(5, rel=0.01)
    assert "3000 x 600, 8 bits" in _texts(test)


def test_patient_is_not_shown_where_unknown_or_to_visitors(monkeypatch):
    row = pd.Series({"label": "NORMAL", "patient": "p7", "source": "hospital", "path": "/home/anna/a.png"})
    assert sample_view.properties(row)["patient"] == "p7"
    made_up = row.where(row.index != "patient", "hospital:/home/anna/a.png")
    assert "patient" not in sample_view.properties(made_up)
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    assert sample_view.properties(row) == {"class": "NORMAL"}
