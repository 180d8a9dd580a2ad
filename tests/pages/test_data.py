"""The Data page: adding, checking, looking, editing."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrcore.audits.dataset import audit
from cxrcore.data import dataset, download, editing
from cxrcore.files import write_json
from tests.pages.test_pages import _button, _texts


@pytest.fixture(autouse=True)
def roots(monkeypatch, tmp_path):
    monkeypatch.setenv("CXR_DATA_ROOTS", str(tmp_path))


@pytest.fixture
def machine(open_page):
    def go(text):
        test = open_page("data", view="Add a dataset", **{"from": "Files on this machine"})
        test.text_area[0].set_value(str(text)).run()
        assert not test.exception
        return test

    return go


def _set(save):
    for k in range(2):
        save(f"set/NORMAL/{k}.png", np.full((8, 8), k, np.uint8))
        save(f"set/FLU/{k}.png", np.full((8, 8), 9 + k, np.uint8))


def test_folders_are_imported_with_the_shown_mapping(machine, save, tmp_path):
    _set(save)
    test = machine(tmp_path / "set")
    _button(test, "Import").click().run()
    assert not test.exception
    assert dataset.load("mydata").counts() == {"NORMAL": 2}
    assert dataset.load("mydata").left_out_counts() == {"finding": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{root}/nope", "There is no folder"),
        ("/etc", "lies outside of the folders that this dashboard may read"),
        ("{root}/../..", "lies outside"),
        ("{root}/some.txt", "neither a folder, a ZIP nor a CSV"),
    ],
)
def test_unreadable_path_is_reported(machine, tmp_path, text, message):
    (tmp_path / "some.txt").write_text("hello")
    test = machine(text.format(root=tmp_path))
    assert message in _texts(test) and not any("Import" in button.label for button in test.button)
    assert dataset.names() == []


def test_columns_of_a_table_are_chosen(machine, save, tmp_path):
    save("set/a.png", np.full((8, 8), 1, np.uint8))
    pd.DataFrame({"image": ["a.png"], "was": ["NORMAL"]}).to_csv(tmp_path / "set" / "list.csv", index=False)
    test = machine(tmp_path / "set" / "list.csv")
    assert "no column known as finding" in _texts(test)
    next(box for box in test.selectbox if box.label == "finding").set_value("was").run()
    _button(test, "Import").click().run()
    assert dataset.load("mydata").counts() == {"NORMAL": 1}


def test_upload_stays_in_memory_until_import(open_page, home):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for k, label in enumerate(("NORMAL", "COVID")):
            image = io.BytesIO()
            Image.fromarray(np.full((8, 8), k, np.uint8)).save(image, "PNG")
            file.writestr(f"{label}/a.png", image.getvalue())
    test = open_page("data", view="Add a dataset", **{"from": "Upload"})
    test.file_uploader[0].set_value(("mine.zip", buffer.getvalue(), "application/zip")).run()
    assert not test.exception and not (home / "datasets").exists()
    _button(test, "Import").click().run()
    assert not test.exception
    assert dataset.load("mydata").counts() == {"COVID": 1, "NORMAL": 1}


def test_public_datasets_show_licence_and_download_error(open_page, monkeypatch):
    monkeypatch.setenv("CXR_MIRROR", "http://127.0.0.1:9")
    test = open_page("data", view="Add a dataset", **{"from": "Public sets"})
    assert all(known.licence in _texts(test) for known in download.PUBLIC.values())
    _button(test, "Download").click().run()
    assert not test.exception and "could not be downloaded" in _texts(test)


def test_audit_runs_and_is_kept(open_page, phantom):
    test = open_page("data", view="Check")
    assert "Looks for what could mislead" in _texts(test)
    _button(test, "Check this dataset").click().run()
    assert not test.exception and "Nothing was found in 60 images" in _texts(test)
    assert audit.last(phantom)["n"] == 60
    assert test.dataframe[0].value["what"].tolist()[0] == "source"


def test_issue_is_excluded_and_undone(open_page, phantom):
    report = audit.run(phantom)
    finding = {
        "kind": "outlier",
        "what": "turned",
        "sentence": "2 images: a quarter turn from upright.",
        "rows": [3, 4],
    }
    report["findings"] = [finding | {"exclude": [3, 4], "groups": [], "images": []}]
    write_json(phantom.folder / "audit.json", report)
    test = open_page("data", view="Check")
    assert "a quarter turn" in _texts(test)
    _button(test, "Exclude 2 images").click().run()
    assert not test.exception and len(dataset.load("phantom").usable) == 58
    assert "the dataset has changed since" in _texts(test)
    _button(test, "Undo the last edit").click().run()
    assert len(dataset.load("phantom").usable) == 60


def test_train_page_shows_severe_issues(open_page, phantom):
    assert "First check the dataset" in _links(open_page("train"))
    report = audit.run(phantom)
    assert "First check the dataset" not in _links(open_page("train"))
    finding = {"kind": "confound", "what": "source", "sentence": "Every COVID image comes from one source.", "rows": []}
    write_json(phantom.folder / "audit.json", report | {"findings": [finding, finding]})
    test = open_page("train")
    assert "comes from one source. And 1 more" in _texts(test) and "What the check found" in _links(test)


def _links(test):
    return " ".join(link.proto.label for link in test.get("page_link"))


def test_images_are_filtered_by_the_url_and_opened(open_page, phantom):
    editing.exclude("phantom", [0, 1, 2])
    assert "19 of 60 images" in _texts(open_page("data", view="Images", **{"class": "NORMAL"}))
    test = open_page("data", view="Images", use="left out")
    assert "3 of 60 images" in _texts(test)
    next(button for button in test.button if button.label == "Enlarge").click().run()
    assert not test.exception and _button(test, "Use this image again") and _button(test, "Relabel")
    assert test.dataframe[0].value["value"]["left out"] == "excluded: by hand"
