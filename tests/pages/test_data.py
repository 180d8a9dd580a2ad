"""The Data page: add, audit, inspect and edit datasets."""

import shutil

import numpy as np
import pandas as pd
import pytest

from cxrcore.audits.dataset import audit, issues
from cxrcore.data import dataset, download, editing, importing
from cxrcore.data.images import png
from cxrcore.messages import msg
from cxrcore.ui import feedback, gallery
from tests.data.dicom_files import radiograph
from tests.data.zip_files import zipped
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
    assert dataset.load("mydata").counts() == {"FLU": 2, "NORMAL": 2}


def test_classes_of_findings_are_summarised_and_chosen(machine, save, tmp_path):
    _set(save)
    save("set/TB/0.png", np.full((8, 8), 99, np.uint8))
    test = machine(tmp_path / "set")
    assert "3 classes: FLU 2, NORMAL 2, TB 1." in _texts(test)
    test.session_state["classes of findings"] = {"set/FLU": "Infection", "set/NORMAL": "", "set/TB": "Infection"}
    test.run()
    assert "at least two classes. Received: Infection. Findings: FLU (2), NORMAL (2), TB (1)" in _texts(test)
    assert _button(test, "Import").disabled
    test.text_input[0].set_value("<b>Clear</b>").run()
    test.session_state["classes of findings"] |= {"set/NORMAL": "<b>Clear</b>"}
    test.session_state["classes of findings"] |= {"set/TB": ""}
    test.run()
    assert "2 classes: <b>Clear</b> 2, Infection 2. Findings left out: 1 (TB 1)." in _texts(test).replace("\\", "")
    _button(test, "Import").click().run()
    assert not test.exception and dataset.load("mydata").counts() == {"<b>Clear</b>": 2, "Infection": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{root}/nope", "There is no folder"),
        ("/etc", "lies outside the folders that this dashboard may read"),
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
    save("set/b.png", np.full((8, 8), 2, np.uint8))
    pd.DataFrame({"image": ["a.png", "b.png"], "was": ["NORMAL", "TB"]}).to_csv(
        tmp_path / "set" / "list.csv", index=False
    )
    test = machine(tmp_path / "set" / "list.csv")
    assert "no column known as finding" in _texts(test)
    next(box for box in test.selectbox if box.label == "finding").set_value("was").run()
    _button(test, "Import").click().run()
    assert dataset.load("mydata").counts() == {"NORMAL": 1, "TB": 1}


def test_upload_stays_in_memory_until_import(open_page, home):
    content = zipped(
        {f"{label}/a.png": png(np.full((8, 8), k, np.uint8)) for k, label in enumerate(("NORMAL", "COVID"))}
    )
    test = open_page("data", view="Add a dataset", **{"from": "Upload"})
    test.file_uploader[0].set_value(("mine.zip", content, "application/zip")).run()
    assert not test.exception and not (home / "datasets").exists()
    _button(test, "Import").click().run()
    assert not test.exception
    assert dataset.load("mydata").counts() == {"COVID": 1, "NORMAL": 1}


def test_public_datasets_show_licence_and_download_error(open_page, monkeypatch):
    monkeypatch.setenv("CXR_MIRROR", "http://127.0.0.1:9")
    test = open_page("data", view="Add a dataset", **{"from": "Public datasets"})
    assert all(str(known.licence) in _texts(test) for known in download.PUBLIC.values())
    _button(test, "Download").click().run()
    assert not test.exception and "could not be downloaded" in _texts(test)


def test_audit_runs_and_is_kept(open_page, phantom):
    test = open_page("data", view="Audit")
    assert "Looks for duplicates" in _texts(test)
    _button(test, "Run the audit").click().run()
    assert not test.exception and "No issue was found in 60 images" in _texts(test)
    assert audit.load(phantom).n == 60
    assert test.dataframe[0].value["property"].tolist()[0] == "source"


def _keep(data, *issues):
    """Run the audit and replace its issues."""
    audit.run(data).model_copy(update={"issues": list(issues)}).write(data.folder / audit.FILE)


def test_issue_is_excluded_and_undone(open_page, phantom):
    _keep(phantom, issues.issue("outlier", "turned", msg("2 images: a quarter turn from upright."), [3, 4], [3, 4]))
    test = open_page("data", view="Audit")
    assert "a quarter turn" in _texts(test)
    _button(test, "Exclude 2 images").click().run()
    assert not test.exception and len(dataset.load("phantom").usable) == 58
    assert "the dataset has changed since" in _texts(test)
    _button(test, "Undo the last edit").click().run()
    assert len(dataset.load("phantom").usable) == 60


def test_confounders_share_one_card(open_page, phantom):
    found = [
        issues.issue("confounder", name, msg(f"{name} stands out."), [0, 20]) for name in ("size", "view", "borders")
    ]
    report = audit.run(phantom).model_copy(
        update={"issues": found, "cramers_v": {"view": 0.4, "sex": None, "size": 0.75}}
    )
    report.write(phantom.folder / audit.FILE)
    test = open_page("data", view="Audit")
    assert [text for text in _texts(test).split("\n") if "stands out" in text] == [
        f":material/error: {name} stands out." for name in ("size", "borders", "size")
    ]
    assert any(chart.proto.alt == "Cramér's V: image size 0.75, view 0.40" for chart in test.get("plotly_chart"))
    assert test.dataframe[0].value["property"].tolist() == ["view", "sex", "image size"]
    next(box for box in test.selectbox if box.label == "Images by class and property").set_value("view").run()
    assert not test.exception and "view stands out." in _texts(test)


def test_duplicates_are_shown_in_pairs_with_their_difference(open_page, phantom):
    groups = [[0, 1], [2, 3, 4], [5, 6]]
    _keep(phantom, issues.issue("near-duplicate", "inside a class", msg("7 images."), range(7), [1], groups))
    test = open_page("data", view="Audit")
    shown = " ".join(element.proto.body for element in test.get("html"))
    assert shown.count('<div class="cxr-pair">') == 3 and shown.count("difference, 4 times as bright: mean") == 6
    next(box for box in test.number_input if box.label == "Page (of 2)").set_value(2).run()
    shown = " ".join(element.proto.body for element in test.get("html"))
    assert not test.exception and shown.count('<div class="cxr-pair">') == 1


def test_train_page_shows_severe_issues(open_page, phantom):
    assert "Audit the dataset first" in _links(open_page("train"))
    audit.run(phantom)
    assert "Audit the dataset first" not in _links(open_page("train"))
    found = issues.issue("confounder", "source", msg("Every COVID image comes from one source."), [])
    _keep(phantom, found, found)
    test = open_page("train")
    assert "comes from one source. And 1 more" in _texts(test) and "Issues of this dataset" in _links(test)


def test_damaged_audit_is_a_warning(open_page, phantom):
    (phantom.folder / audit.FILE).write_text("{")
    for view in ("Images", "Audit"):
        test = open_page("data", view=view)
        assert "audit.json is damaged" in _texts(test) and not test.error
    _button(test, "Run the audit").click().run()
    assert "audit.json is damaged" not in _texts(test)


@pytest.fixture
def cards(monkeypatch):
    """The labels of the images that the grids of a page show."""
    shown = []
    monkeypatch.setattr(gallery, "show", lambda cards, classes, key: shown.extend(card.label for card in cards))
    return shown


def test_overview_shows_examples_distributions_and_the_flow(open_page, phantom, cards):
    editing.exclude("phantom", [0, 1, 2])
    test = open_page("data")
    assert not test.error and cards == ["COVID"] * 6 + ["NORMAL"] * 6 + ["OTHER INFECTION"] * 6
    (flow,) = test.get("image")
    assert flow.proto.imgs[0].alt.startswith("Identified: 60. Left out: 3 (excluded 3). Included: 57 (COVID ")
    charts = " ".join(chart.proto.alt for chart in test.get("plotly_chart"))
    assert "Longer side, pixels. COVID: " in charts and "Age. " not in charts
    assert len(test.dataframe) == 1  # the classes; what is left out is listed when it is asked for
    test.session_state["left out"] = True
    assert test.run().dataframe[0].value["reason"].tolist() == ["by hand"] * 3


def test_overview_of_fifty_classes_shows_the_chosen_one(open_page, made, cards):
    test = open_page("data", dataset="made50")
    test.selectbox(key="class of examples").set_value("p_x").run()
    assert not test.exception and cards[4:] == ["p_x"] * 4


def test_example_opens_in_a_dialog(open_page, phantom):
    test = open_page("data", sample="0")
    assert "1 of 18" in _texts(test) and phantom.table.loc[0, "patient"] in str(test.dataframe[1].value)


def test_damaged_dataset_is_listed(open_page, phantom):
    shutil.copytree(phantom.folder, phantom.folder.with_name("other"))
    (phantom.folder / dataset.INFO).write_text("{")
    test = open_page("data")
    assert not test.error and "dataset.json is damaged" in _texts(test) and "Images in use" in _metrics(test)
    assert [option for box in test.selectbox if box.label == "Dataset" for option in box.options] == ["other"]


def _metrics(test):
    return [metric.label for metric in test.metric]


def test_uploads_in_no_folder_get_the_chosen_class(open_page):
    files = [(f"IM-{k}.dcm", radiograph(np.full((8, 8), k), bits=8), "application/dicom") for k in range(2)]
    files.append(("TB.zip", zipped({"a.png": png(np.full((8, 8), 9, np.uint8))}), "application/zip"))
    test = open_page("data", view="Add a dataset", **{"from": "Upload"})
    test.file_uploader[0].set_value(files).run()
    assert "Received: TB. Findings: (no folder) (2), TB (1)" in _texts(test)
    test.session_state["classes of findings"] |= {"upload/(no folder)": "NORMAL"}
    test.run()
    _button(test, "Import").click().run()
    assert not test.exception and dataset.load("mydata").counts() == {"NORMAL": 2, "TB": 1}


def test_positive_class_is_chosen_as_a_new_version(open_page, save, tmp_path):
    _set(save)
    importing.import_folders([tmp_path / "set"], "mydata")
    test = open_page("data")
    assert test.radio[0].label == "Positive class" and test.radio[0].value == "FLU"
    _button(test, "Apply").click().run()
    assert "The classes are as they were: FLU, NORMAL" in _texts(test) and dataset.load("mydata").version == 1
    test.radio[0].set_value("NORMAL")
    _button(test, "Apply").click().run()
    assert not test.exception and dataset.load("mydata").positive == "NORMAL"
    assert "Version 2" in _texts(test) and test.radio[0].value == "NORMAL"
    _button(test, "Apply").click().run()
    assert "The classes are as they were: FLU, NORMAL" in _texts(test) and dataset.load("mydata").version == 2


MARKDOWN = "![x](https://host/t.png) `code` **bold** https://host/"


def test_names_from_data_are_plain_text(open_page, save, tmp_path):
    """Source, finding and file names are shown as they are: no image of another host, no link, no bold text."""
    name = MARKDOWN.replace("/", "_")
    for k in range(2):
        save(f"{name}/{'TB' if k else 'NORMAL'}/{name}{k}.png", np.full((8, 8), k, np.uint8))
    importing.import_folders([tmp_path / name], "mydata")
    for view in ("Overview", "Images"):
        test = open_page("data", view=view, **({"sample": "0"} if view == "Images" else {}))
        shown = _texts(test)
        assert not test.exception and "![x](" not in shown and "`code`" not in shown and "**bold**" not in shown
    assert feedback.plain_text(name) in _texts(open_page("data"))


def _links(test):
    return " ".join(link.proto.label for link in test.get("page_link"))


def test_images_are_filtered_by_the_url_and_opened(open_page, phantom):
    editing.exclude("phantom", [0, 1, 2])
    assert "19 of 60 images" in _texts(open_page("data", view="Images", **{"class": "NORMAL"}))
    test = open_page("data", view="Images", use="left out", sample="1")
    assert "3 of 60 images" in _texts(test) and "2 of 3" in _texts(test)
    assert _button(test, "Restore this image") and _button(test, "Relabel")
    assert test.dataframe[0].value["value"]["left out"] == "excluded: by hand"


def test_images_of_an_issue_are_filtered(open_page, phantom):
    _keep(phantom, issues.issue("outlier", "turned", msg("2 images."), [3, 4], [3, 4]))
    test = open_page("data", view="Images", issue="outlier:turned")
    assert "2 of 60 images" in _texts(test)
    assert next(box for box in test.selectbox if box.label == "Issue").options == ["all", "Outliers: rotated"]
