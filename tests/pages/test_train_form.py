"""The form on the Train page: what it chooses, what it locks and when it can be started."""

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data.dataset import TABLE
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.schema import read_table, write_table


def _box(test, label):
    return next(box for box in test.selectbox if box.label == label)


def _texts(test):
    return "\n".join(str(element.value) for kind in (test.caption, test.warning, test.error) for element in kind)


def _start(test):
    return next(button for button in test.button if button.label == "Start training")


def test_recommended_shows_no_setting_of_gradient_descent_until_another_head_is_chosen(open_page, phantom):
    test = open_page("train")
    shown = {widget.label for widget in [*test.number_input, *test.slider, *test.toggle, *test.selectbox]}
    assert not shown & {"Epochs", "Learning rate", "Batch size", "Dropout", "Validation share", "Fine-tuning"}
    assert {"Time budget (seconds)", "Temperature scaling", "L2 regularisation"} <= shown
    assert _box(test, "Feature layer (tap)").value == "auto" and _box(test, "Backbone").value == "cxrtiny"
    assert "CXRTiny is trained on synthetic X-rays: for demonstrations." in _texts(test)
    # 10 s to start, 0.5 s for 4 candidates on 60 images, and 72 images at 580 a second
    assert "About 11 s for 60 images." in _texts(test)
    assert _texts(test).count("0: chosen by cross-validation") == 2, "input size and L2"
    _box(test, "Head").set_value("probe").run()
    shown = {widget.label for widget in [*test.number_input, *test.slider, *test.toggle]}
    assert {"Epochs", "Learning rate", "Validation share"} <= shown and not shown & {"Dropout", "Time budget (seconds)"}
    assert _box(test, "Feature layer (tap)").value == "block5_out"
    assert "0: chosen by cross-validation" not in _texts(test)


def test_tutorial_is_locked_until_it_is_edited_and_counts_the_changes(open_page, phantom):
    test = open_page("train")
    test.segmented_control[0].set_value("tutorial").run()
    assert _box(test, "Backbone").value == "xception" and _box(test, "Weights").disabled
    epochs = next(box for box in test.number_input if box.label == "Epochs")
    assert epochs.disabled and epochs.value == 80
    _box(test, "Backbone").set_value("vgg16")
    test.toggle(key="edit tutorial").set_value(True).run()
    epochs = next(box for box in test.number_input if box.label == "Epochs")
    assert _box(test, "Backbone").value == "vgg16" and not epochs.disabled
    assert "changed" not in _texts(test)
    epochs.set_value(20).run()
    assert "1 setting is changed." in _texts(test) and "changed from tutorial" in _texts(test)


def test_dataset_that_was_used_last_is_chosen(open_page, phantom):
    phantoms.create("another", patients=3, images=1, seed=1)
    assert open_page("train").query_params["dataset"] == "another"  # the newest
    run = runs.create(run_config.make(dataset="phantom"))
    run.status.model_copy(update={"state": runs.FINISHED}).write(run.folder / "status.json")
    assert open_page("train").query_params["dataset"] == "phantom"


def test_dataset_with_one_class_cannot_be_started_and_the_page_says_why(open_page, phantom):
    file = phantom.folder / TABLE
    table, _ = read_table(file)
    write_table(file, table[table["label"] == "NORMAL"])
    test = open_page("train")
    assert _start(test).disabled and "A classifier needs at least two classes" in _texts(test)
