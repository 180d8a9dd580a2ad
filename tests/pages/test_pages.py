"""Pages as scripts, without a browser: texts, controls and actions."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from cxrcore import i18n, runs
from cxrcore.config.sections import SplitConfig
from cxrcore.data import dataset
from cxrcore.data.images import png
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.evaluation import external
from cxrcore.jobs import queue
from cxrcore.messages import plain
from cxrcore.runs.models import RunStatus
from cxrcore.ui import feedback


def _texts(test):
    kinds = (
        test.title,
        test.subheader,
        test.markdown,
        test.caption,
        test.info,
        test.warning,
        test.success,
        test.error,
    )
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def _button(test, label):
    return next(button for button in test.button if label in button.label)


@pytest.mark.parametrize(
    ("page", "text", "button"),
    [
        ("home", "synthetic X-rays", "Generate phantoms and train"),
        ("data", "No dataset yet", "Generate"),
        ("train", "no dataset to train on", "Add a dataset"),
        ("results", "no finished run", "Train a model"),
        ("explain", "no finished run", "Train a model"),
    ],
)
def test_empty_states_name_the_next_step(open_page, page, text, button):
    test = open_page(page)
    assert text in _texts(test)
    assert _button(test, button)


def test_home_lists_datasets_and_runs(open_page, trained):
    test = open_page("home")
    links = [element.proto.label for element in test.get("page_link")]
    assert "Latest runs" in _texts(test) and any("CXRTiny · phantom" in link for link in links)
    assert "60 images · 30 patients" in _texts(test) and "**phantom**" in links


def test_data_shows_counts_and_names_phantoms(open_page, phantom):
    test = open_page("data")
    assert {metric.label: metric.value for metric in test.metric} == {
        "Images in use": "60", "Patients": "30", "Classes": "3", "Left out": "0",
    }  # fmt: skip
    assert "phantoms" in _texts(test)


def test_data_generates_phantoms(open_page):
    test = open_page("data", view="Add a dataset")
    next(box for box in test.text_input if box.label == "Name").set_value("mine")
    next(box for box in test.number_input if box.label == "Patients per class").set_value(3)
    _button(test, "Generate").click().run()
    assert not test.exception
    assert dataset.load("mine").counts() == {"COVID": 6, "NORMAL": 6, "OTHER INFECTION": 6}


def test_data_generates_phantoms_of_the_chosen_classes(open_page):
    test = open_page("data", view="Add a dataset")
    test.multiselect[0].set_value(["NODULE", "NORMAL"]).run()
    planted = next(box for box in test.selectbox if box.label == "Add a confounding marker")
    assert planted.options == ["no", "NODULE", "NORMAL"]
    next(box for box in test.text_input if box.label == "Name").set_value("mine")
    next(box for box in test.number_input if box.label == "Patients per class").set_value(3)
    _button(test, "Generate").click().run()
    assert not test.exception
    assert dataset.load("mine").counts() == {"NODULE": 6, "NORMAL": 6}


def test_train_starts_a_run_that_the_url_names(open_page, phantom):
    test = open_page("train")
    _button(test, "Start training").click().run()
    assert not test.exception
    (run,) = runs.listing()
    assert test.query_params["run"] == run.name
    assert run.config.split.kind == "patient" and run.config.backbone == "cxrtiny"
    queue.stop(run)


def test_train_offers_the_tutorial_preset(open_page, phantom):
    test = open_page("train")
    test.segmented_control[0].set_value("tutorial").run()
    assert "may be in both parts" in _texts(test) and "never reduced" in _texts(test)
    values = {widget.label: widget.value for widget in [*test.number_input, *test.slider]}
    assert values["Epochs"] == 80 and values["Batch size"] == 15 and values["Learning rate"] == 1e-3
    assert values["Input size"] == 237 and values["Dropout"] == 0.2


def test_train_shows_the_cost_of_a_backbone(open_page, phantom):
    test = open_page("train")
    next(box for box in test.selectbox if box.label == "Backbone").set_value("vgg16").run()
    assert "images per second" in _texts(test) and "59 MB" in _texts(test) and "downloaded first" in _texts(test)


def test_train_shows_an_invalid_setting_as_a_message(open_page, phantom):
    test = open_page("train")
    next(box for box in test.selectbox if box.label == "Weights").set_value("file").run()
    _button(test, "Start training").click().run()
    assert "expected a path with weights" in _texts(test) and runs.listing() == []


def test_train_shows_a_finished_run(open_page, trained):
    test = open_page("train", run=trained.name)
    assert "Finished after" in _texts(test) and "95% interval" in _texts(test)


def test_train_shows_a_failed_run_with_the_end_of_its_log(open_page, trained):
    RunStatus(state="failed", message=plain("It was killed.")).write(trained.folder / "status.json")
    (trained.folder / "log.txt").write_text("the last words")
    test = open_page("train", run=trained.name)
    assert "This run failed. It was killed." in _texts(test)
    assert "the last words" in test.code[0].value


def test_results_have_n_and_interval(open_page, trained):
    test = open_page("results", run=trained.name)
    shown = {metric.label: metric.value for metric in test.metric}
    assert shown["Correct"] == f"{trained.results.test.accuracy.successes} of 12"
    assert " to " in shown["95% interval (Wilson)"]
    assert "With 12 test images, the 95% interval" in _texts(test) and "tested on phantoms" in _texts(test)
    test = open_page("results", run=trained.name, tab="Metrics")
    assert test.dataframe[0].value["class"].tolist() == trained.classes


def test_results_show_the_images_of_a_cell_that_the_url_names(open_page, trained):
    table = trained.predictions("test")
    correct = int(((table["label"] == "NORMAL") & (table["predicted"] == "NORMAL")).sum())
    test = open_page("results", run=trained.name, true="NORMAL", predicted="NORMAL")
    assert f"{correct} of 12 test images, highest confidence first" in _texts(test)
    test = open_page("results", run=trained.name, which="incorrect")
    assert f"{int((~table['correct']).sum())} of 12 test images" in _texts(test)


def test_results_operating_point_and_referral(open_page, trained):
    test = open_page("results", run=trained.name, tab="Probabilities")
    next(slider for slider in test.slider if "Decision threshold" in slider.label).set_value(0.0).run()
    matrix = next(frame.value for frame in test.dataframe if "predicted positive" in frame.value.columns)
    table = trained.predictions("test")
    covid = int((table["label"] == "COVID").sum())
    assert matrix.to_numpy().tolist() == [[covid, 0], [len(table) - covid, 0]]
    assert "Sensitivity **100.0%" in _texts(test)
    next(slider for slider in test.slider if "Refer below confidence" in slider.label).set_value(1.0).run()
    assert "on 0 images; 12 are referred" in _texts(test)


def test_results_external_validation(open_page, trained):
    test = open_page("results", run=trained.name, tab="Robustness")
    assert "There is no other dataset" in _texts(test)
    phantoms.create("elsewhere", patients=3, images=1, seed=9)
    test = open_page("results", run=trained.name, tab="Robustness")
    _button(test, "Run external validation").click().run()
    assert not test.exception
    (evaluation,) = external.load_all(trained)
    assert evaluation.metrics.n == 9 and evaluation.dataset == "elsewhere"
    shown = {metric.label: metric.value for metric in test.metric}
    assert shown["Accuracy on elsewhere"] == f"{evaluation.metrics.accuracy.value:.1%}"
    assert "Images tested: 9. Left out as duplicates" in _texts(test) and "Out of distribution:" in _texts(test)


def test_results_warn_about_a_random_split(open_page, trained):
    config = trained.config.model_copy(update={"split": SplitConfig(kind="tutorial")})
    config.write(trained.folder / "config.json")
    assert "The test accuracy is then too high" in _texts(open_page("results", run=trained.name))


def test_unknown_run_in_the_url_gives_a_warning(open_page, trained):
    assert "The run named by the link cannot be shown" in _texts(open_page("results", run="nonsense"))


def test_explain_changes_class_layer_and_image(open_page, trained):
    test = open_page("explain", run=trained.name)
    boxes = {box.label: box for box in test.selectbox}
    boxes["Class to explain"].set_value("NORMAL")
    boxes["Layer"].set_value("block3a_out")
    boxes["Test image (errors first)"].set_value("5")
    test.run()
    assert not test.exception
    assert test.query_params["image"] == "5"
    assert "Predicted **" in _texts(test)


def test_explain_an_upload(open_page, trained):
    test = open_page("explain", run=trained.name, show="Upload")
    content = Path(trained.predictions("test")["path"][0]).read_bytes()
    test.file_uploader[0].upload("x.png", content, "image/png").run()
    assert not test.exception
    assert "assigns one of them to every image" in _texts(test) and "Predicted **" in _texts(test)
    assert "In distribution: " in _texts(test)
    photograph = load_sample_image("china.jpg")
    test.file_uploader[0].upload("cat.png", png(np.ascontiguousarray(photograph)), "image/png").run()
    assert "**Out of distribution**" in _texts(test)
    assert [expander.label for expander in test.expander] == ["Show the prediction anyway"]
    test.file_uploader[0].upload("bad.png", b"not an image", "image/png").run()
    assert not test.exception and "not an image" in _texts(test)


def test_choices_of_runs_and_images_are_kept(open_page, trained):
    """Runs of the same minute and accuracy have labels that differ by the end of their names."""
    for letter in "abc":
        shutil.copytree(trained.folder, trained.folder.parent / f"{trained.name[:-4]}000{letter}")
    names = [run.name for run in runs.listing()]
    test = open_page("results", run=trained.name)
    assert len(set(test.selectbox[0].options)) == len(names) == 4
    for name in (*names, *reversed(names)):
        test.selectbox[0].set_value(name).run()
        assert test.query_params["run"] == name and test.selectbox[0].value == name
    test = open_page("explain", run=trained.name)
    for image in ("3", "5", "7", "3"):
        next(box for box in test.selectbox if "Test image" in box.label).set_value(image).run()
        assert test.query_params["image"] == image


def test_class_of_another_run_is_ignored(open_page, trained):
    test = open_page("results", run=trained.name, true="MEASLES", predicted="NORMAL")
    boxes = {box.label: box.value for box in test.selectbox}
    assert (boxes["True class"], boxes["Predicted class"]) == ("", "NORMAL")
    assert "true" not in test.query_params


SHOWN = (
    "{shown} of {all} test images, highest confidence first. A click on the matrix chooses a cell, a row or a column."
)


def test_choices_do_not_depend_on_the_language(open_page, trained):
    table = trained.predictions("test")
    wrong = int((~table["correct"] & (table["label"] == "OTHER INFECTION")).sum())
    for lang in ("en", "pt"):
        test = open_page("results", lang=lang, run=trained.name, which="incorrect", true="OTHER INFECTION")
        i18n.use(lang)
        text = i18n.t(SHOWN, shown=wrong, all=12)
        assert text in _texts(test)
        assert (test.query_params["which"], test.query_params["true"]) == ("incorrect", "OTHER INFECTION")


EVIL = "![x](https://host.example/t.png) `code` www.host.example :material/home: $x$ :red[text]"


def test_names_from_data_are_escaped_in_markdown(open_page, trained):
    table = trained.read_table("predictions.parquet")
    table["source"] = [EVIL if k % 2 else "b" for k in range(len(table))]
    trained.write_table("predictions.parquet", table)
    trained.describe(title=EVIL, tags=[EVIL], note=EVIL)
    escaped = feedback.plain_text(EVIL)
    for page, query in (("home", {}), ("results", {"tab": "Metrics"}), ("explain", {}), ("compare", {}), ("train", {})):
        test = open_page(page, run=trained.name, **query)
        links = [element.proto.label for element in test.get("page_link")]
        expanders = [expander.label for expander in test.expander]
        shown = "\n".join([_texts(test), *links, *expanders, *(button.label for button in test.button)])
        assert "![x](" not in shown.replace(escaped, ""), page
    test = open_page("results", run="[a](http://example.org)")
    assert "example.org" not in _texts(test)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("status.json", '{"state": "fin'),
        ("config.json", "[]"),
        ("metrics.json", '{"a": 1}'),
        ("about.json", '{"schema_version": 99}'),
    ],
)
def test_damaged_run_is_listed_and_others_open(open_page, trained, file, content):
    damaged = trained.folder.parent / "20200101-000000-000-damaged-0000"
    shutil.copytree(trained.folder, damaged)
    (damaged / file).write_text(content)
    for page in ("home", "compare"):
        test = open_page(page)
        assert [expander.label for expander in test.expander] == ["Damaged (1)"], page
        assert "damaged-0000**: " in _texts(test).replace("\\", "")
    for page in ("results", "explain"):
        test = open_page(page, run=damaged.name)
        assert test.query_params["run"] == trained.name, page
        assert not test.error


def test_damaged_dataset_is_listed_and_others_open(open_page, trained, home):
    (home / "datasets" / "cut").mkdir()
    (home / "datasets" / "cut" / "dataset.json").write_text('{"sources": [')
    test = open_page("home")
    links = [element.proto.label for element in test.get("page_link")]
    assert "**cut**: " in _texts(test) and "**phantom**" in links and "**cut**" not in links
    for page in ("results", "explain", "compare"):
        assert not open_page(page, run=trained.name).error
