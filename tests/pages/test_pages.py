"""Pages as scripts, without a browser: what they say, offer and do."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_sample_image

from cxrcore import runs
from cxrcore.data import dataset
from cxrcore.data.images import png
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.evaluation import external
from cxrcore.jobs import queue


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
        ("home", "synthetic X-rays", "Draw phantoms and train"),
        ("data", "No dataset yet", "Draw"),
        ("train", "no dataset to train on", "Add a dataset"),
        ("results", "no finished run", "Train a model"),
        ("explain", "no finished run", "Train a model"),
    ],
)
def test_empty_states_name_the_next_step(open_page, page, text, button):
    test = open_page(page)
    assert text in _texts(test)
    assert _button(test, button)


def test_home_lists_what_there_is(open_page, trained):
    test = open_page("home")
    links = [element.proto.label for element in test.get("page_link")]
    assert "Latest runs" in _texts(test) and any("CXRTiny · phantom" in link for link in links)
    assert test.dataframe[0].value["images"].tolist() == [60]


def test_data_shows_counts_and_says_phantom(open_page, phantom):
    test = open_page("data")
    assert {metric.label: metric.value for metric in test.metric} == {
        "Images in use": "60", "Patients": "30", "Classes": "3", "Left out": "0",
    }  # fmt: skip
    assert "These are phantoms" in _texts(test)


def test_data_draws_phantoms(open_page):
    test = open_page("data", view="Add a dataset")
    next(box for box in test.text_input if box.label == "Name").set_value("mine")
    next(box for box in test.number_input if box.label == "Patients in each class").set_value(3)
    _button(test, "Draw").click().run()
    assert not test.exception
    assert dataset.load("mine").counts() == {"COVID": 6, "NORMAL": 6, "OTHER INFECTION": 6}


def test_train_starts_a_run_that_the_url_names(open_page, phantom):
    test = open_page("train")
    _button(test, "Start training").click().run()
    assert not test.exception
    (run,) = runs.listing()
    assert test.query_params["run"] == run.name
    assert run.config["split"]["kind"] == "patient" and run.config["backbone"] == "cxrtiny"
    queue.stop(run)


def test_train_offers_the_tutorials_recipe_with_its_truths(open_page, phantom):
    test = open_page("train")
    test.segmented_control[0].set_value("tutorial").run()
    assert "may be on both sides" in _texts(test) and "never acts" in _texts(test)
    values = {widget.label: widget.value for widget in [*test.number_input, *test.slider]}
    assert values["Epochs"] == 80 and values["Batch size"] == 15 and values["Learning rate"] == 1e-3
    assert values["Input size"] == 237 and values["Dropout"] == 0.2


def test_train_says_what_a_backbone_costs(open_page, phantom):
    test = open_page("train")
    next(box for box in test.selectbox if box.label == "Backbone").set_value("vgg16").run()
    assert "images a second" in _texts(test) and "59 MB" in _texts(test) and "downloaded first" in _texts(test)


def test_train_shows_a_mistake_as_a_message(open_page, phantom):
    test = open_page("train")
    next(box for box in test.selectbox if box.label == "Weights").set_value("file").run()
    _button(test, "Start training").click().run()
    assert "weights_file: expected a path" in _texts(test) and runs.listing() == []


def test_train_shows_a_finished_run(open_page, trained):
    test = open_page("train", run=trained.name)
    assert "Finished after" in _texts(test) and "95% interval" in _texts(test)


def test_train_shows_a_failed_run_with_the_end_of_its_log(open_page, trained):
    trained.write("status.json", {"state": "failed", "message": "It was killed."})
    (trained.folder / "log.txt").write_text("the last words")
    test = open_page("train", run=trained.name)
    assert "This run failed. It was killed." in _texts(test)
    assert "the last words" in test.code[0].value


def test_results_have_n_and_interval(open_page, trained):
    test = open_page("results", run=trained.name)
    accuracy = trained.metrics["accuracy"]
    shown = {metric.label: metric.value for metric in test.metric}
    assert shown["Right"] == f"{accuracy['successes']} of 12"
    assert " to " in shown["95% interval (Wilson)"]
    assert "12 test images are few" in _texts(test) and "tested on phantoms" in _texts(test)
    test = open_page("results", run=trained.name, tab="Numbers")
    assert test.dataframe[0].value["class"].tolist() == trained.about["classes"]


def test_results_show_the_images_of_a_cell_that_the_url_names(open_page, trained):
    table = trained.predictions("test")
    right = int(((table["label"] == "NORMAL") & (table["predicted"] == "NORMAL")).sum())
    test = open_page("results", run=trained.name, true="NORMAL", predicted="NORMAL")
    assert f"{right} of 12 test images, the surest first" in _texts(test)
    test = open_page("results", run=trained.name, which="wrong")
    assert f"{int((~table['correct']).sum())} of 12 test images" in _texts(test)


def test_results_sliders_and_matrix_agree(open_page, trained):
    test = open_page("results", run=trained.name, tab="Probabilities")
    next(slider for slider in test.slider if "Decision threshold" in slider.label).set_value(0.0).run()
    matrix = next(frame.value for frame in test.dataframe if "called so" in frame.value.columns)
    table = trained.predictions("test")
    covid = int((table["label"] == "COVID").sum())
    assert matrix.to_numpy().tolist() == [[covid, 0], [len(table) - covid, 0]]
    assert "Sensitivity **100.0%" in _texts(test)
    next(slider for slider in test.slider if "Leave to a human" in slider.label).set_value(1.0).run()
    assert "of the 0 answered; 12 go to a human" in _texts(test)


def test_results_test_the_run_on_other_data(open_page, trained):
    test = open_page("results", run=trained.name, tab="Honesty")
    assert "There is no other dataset yet" in _texts(test)
    phantoms.create("elsewhere", patients=3, images=1, seed=9)
    test = open_page("results", run=trained.name, tab="Honesty")
    _button(test, "Test on it").click().run()
    assert not test.exception
    assert "On elsewhere it is right on" in _texts(test) and external.kept(trained)[0]["n"] == 9


def test_results_warn_about_the_tutorials_split(open_page, trained):
    trained.write("config.json", trained.config | {"split": {"kind": "tutorial"}})
    assert "makes the result look better than it is" in _texts(open_page("results", run=trained.name))


def test_an_unknown_run_in_the_url_is_said(open_page, trained):
    assert "The run that the link names cannot be shown" in _texts(open_page("results", run="nonsense"))


def test_explain_changes_class_layer_and_image(open_page, trained):
    test = open_page("explain", run=trained.name)
    boxes = {box.label: box for box in test.selectbox}
    boxes["Class to explain"].set_value("NORMAL")
    boxes["Layer"].set_value("block3a_out")
    boxes["Test image, wrong ones first"].set_value("5")
    test.run()
    assert not test.exception
    assert test.query_params["image"] == "5"
    assert "Predicted **" in _texts(test)


def test_explain_an_upload(open_page, trained, tmp_path):
    test = open_page("explain", run=trained.name, show="Upload")
    content = Path(trained.predictions("test")["path"][0]).read_bytes()
    test.file_uploader[0].upload("x.png", content, "image/png").run()
    assert not test.exception
    assert "gives one of them to any picture" in _texts(test) and "Predicted **" in _texts(test)
    assert "Not unlike the images it learned from" in _texts(test)
    photograph = load_sample_image("china.jpg")
    test.file_uploader[0].upload("cat.png", png(np.ascontiguousarray(photograph)), "image/png").run()
    assert "**Unlike the images it learned from**" in _texts(test)
    assert any("all the same" in expander.label for expander in test.expander)  # no answer unasked
    test.file_uploader[0].upload("bad.png", b"not an image", "image/png").run()
    assert not test.exception and "not an image" in _texts(test)


def test_every_choice_of_a_run_and_of_an_image_counts(open_page, trained):
    """Also for runs of the same minute and accuracy, whose labels differ by the end of their names."""
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


def test_a_class_that_this_run_does_not_have_is_no_choice(open_page, trained):
    test = open_page("results", run=trained.name, true="MEASLES", predicted="NORMAL")
    boxes = {box.label: box.value for box in test.selectbox}
    assert (boxes["True class"], boxes["Predicted class"]) == ("any", "NORMAL")
    assert "true" not in test.query_params


def test_a_choice_survives_the_language_and_its_link_speaks_any(open_page, trained):
    table = trained.predictions("test")
    wrong = int((~table["correct"] & (table["label"] == "OTHER INFECTION")).sum())
    for lang, text in (("en", f"{wrong} of 12 test images"), ("pt", f"{wrong} de 12 imagens de teste")):
        test = open_page("results", lang=lang, run=trained.name, which="wrong", true="OTHER INFECTION")
        assert text in _texts(test)
        assert (test.query_params["which"], test.query_params["true"]) == ("wrong", "OTHER INFECTION")


def test_markdown_from_data_stays_text(open_page, trained):
    table = pd.read_parquet(trained.folder / "predictions.parquet")
    table["source"] = ["![x](http://example.org/x.png)" if k % 2 else "b" for k in range(len(table))]
    trained.write_table("predictions.parquet", table)
    test = open_page("results", run=trained.name, tab="Numbers")
    assert "\\[x\\]" in _texts(test) and "![x](" not in _texts(test)
    test = open_page("results", run="[a](http://example.org)")
    assert "example.org" not in _texts(test)
