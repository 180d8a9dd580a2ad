"""The Explain page beyond its first tab, and the audits on Results."""

import pytest

from cxrcore.explain import faithfulness
from cxrcore.jobs import tasks


def _texts(test):
    kinds = (test.markdown, test.caption, test.info, test.warning, test.error, test.success)
    return "\n".join(element.value for kind in kinds for element in kind)


@pytest.fixture
def at_once(monkeypatch):
    """Tasks run in the page's own process, so that a test need not wait."""
    monkeypatch.setattr(tasks, "start", lambda run, task: tasks.TASKS[task](run.folder, lambda *step: None))


def test_methods_side_by_side(open_page, trained):
    test = open_page("explain", run=trained.name, show="Compare")
    assert "Each map explains the class that its run predicts" in _texts(test)
    assert not test.error and len(test.get("image")) == 2
    next(box for box in test.multiselect if box.label == "Methods").set_value([]).run()
    assert "Choose at least one method" in _texts(test)


def test_where_a_run_looks_on_average(open_page, trained):
    test = open_page("explain", run=trained.name, show="On average")
    assert "The mean Grad-CAM of the test images" in _texts(test)
    called = set(trained.predictions("test")["predicted"])
    assert not test.error and len(test.get("image")) == len(called)


def test_the_checks_of_heatmaps_are_offered_made_and_shown(open_page, trained, at_once):
    test = open_page("explain", run=trained.name, show="To be believed?")
    assert "Nothing was measured yet" in _texts(test)
    next(b for b in test.button if b.label == "Measure whether it can be believed").click().run()
    assert not test.exception, test.exception
    assert "Eigen-CAM" in _texts(test) and len(test.dataframe) == 2
    model, image = (frame.value for frame in test.dataframe)
    assert list(model["method"])[-1] == "a random map" and "Grad-CAM" in list(image["method"])
    shown = model.set_index("method").loc["LayerCAM", "insertion"]
    check = trained.faithfulness["methods"]["layercam"]["insertion"]
    assert shown == f"{check['value']:.2f} ({check['ci95'][0]:.2f} to {check['ci95'][1]:.2f})"


def test_when_no_method_fails_it_says_so(open_page, trained):
    found = faithfulness.measure(trained, ["grad-cam"])
    trained.write(faithfulness.FILE, found | {"flaws": {"grad-cam": []}})
    assert "No method fails a check" in _texts(open_page("explain", run=trained.name, show="To be believed?"))


def test_a_shortcut_is_said_aloud_before_any_map(open_page, trained):
    assert "was not looked into" in _texts(open_page("explain", run=trained.name))
    trained.write("shortcut.json", {"verdict": "shortcut", "sentence": "Border 97%."})
    assert "**These images offer a shortcut.** Border 97%." in _texts(open_page("explain", run=trained.name))
    trained.write("shortcut.json", {"verdict": "none found", "sentence": "Border 30%."})
    assert "shortcut" not in _texts(open_page("explain", run=trained.name))


def test_the_audit_and_what_can_be_done(open_page, trained, at_once):
    test = open_page("results", run=trained.name, tab="Honesty")
    next(b for b in test.button if b.label == "Run the shortcut audit").click().run()
    assert not test.exception, test.exception
    text = _texts(test)
    assert (
        ("corner** blacked out" in text or "changes none of" in text)
        and "lies outside the lungs" in text
        and "mask files" in text
        and "n = 12" in text
    )
    next(b for b in test.button if b.label == "Measure what can be done").click().run()
    assert not test.exception, test.exception
    assert "of the image before the cleaning" in _texts(test)
    assert "crop to the lungs" in list(test.dataframe[-1].value["cleaning"])


def test_a_demonstration_does_not_call_unmeasured_what_it_shows(open_page, trained, monkeypatch):
    trained.show(True)
    faithfulness.measure(trained, ["grad-cam"])
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    shown = _texts(open_page("explain", run=trained.name, show="To be believed?"))
    assert "Deletion: area" in shown and "Not measured" not in shown
    assert "Not measured for this run" in _texts(open_page("results", run=trained.name, tab="Honesty"))


def test_four_views_a_dear_method_and_similar_images(open_page, trained):
    test = open_page("explain", run=trained.name)
    next(box for box in test.segmented_control if "Overlay" in box.options).set_value("Four views with zoom")
    next(box for box in test.selectbox if box.label == "Method").set_value("occlusion")
    next(toggle for toggle in test.toggle if "most similar" in toggle.label).set_value(True)
    test.run()
    assert not test.exception, test.exception
    text = _texts(test)
    assert "Draw a rectangle" in text and "Zeiler" in text and "whose features are most like" in text
    layer = next(box for box in test.selectbox if box.label == "Layer")
    assert layer.disabled and len(layer.options) == 1
