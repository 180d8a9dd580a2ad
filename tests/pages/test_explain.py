"""The tabs of the Explain page, and the audits on Results."""

import json
import re

import numpy as np
import pytest

from cxrcore.audits import mitigations, shortcut
from cxrcore.data import images
from cxrcore.explain import faithfulness, loaded_runs, mean_heatmap
from cxrcore.explain.explanation import Explanation
from cxrcore.figures import outlines
from cxrcore.inference import ood
from cxrcore.jobs import tasks
from cxrcore.messages import msg
from cxrcore.ui.explain import test_images


def _texts(test):
    kinds = (test.markdown, test.caption, test.info, test.warning, test.error, test.success)
    return "\n".join(element.value for kind in kinds for element in kind)


@pytest.fixture
def at_once(monkeypatch):
    """Tasks run in the process of the page, so that a test need not wait."""
    monkeypatch.setattr(tasks, "start", lambda run, task: tasks.TASKS[task](run.folder, lambda *step: None))


def test_drawn_lungs_and_lesions_are_outlined_on_request(open_page, trained, monkeypatch):
    table = trained.predictions("test")
    number = int((table["lesions"] != "").to_numpy().argmax())
    test = open_page("explain", run=trained.name, image=str(number))
    toggle = next(toggle for toggle in test.toggle if toggle.label.startswith("Outlines"))
    assert toggle.label == "Outlines: lungs (blue), lesions (orange)" and not toggle.value
    before = [str(image.proto) for image in test.get("image")]
    toggle.set_value(True).run()
    after = [str(image.proto) for image in test.get("image")]
    assert not test.exception and len(after) == 2 and all(a != b for a, b in zip(before, after, strict=True))
    monkeypatch.setattr(outlines, "load_mask", lambda path: images.load_mask(path.with_name("gone.png")))
    test.run()
    assert not test.exception and [str(image.proto) for image in test.get("image")] == before
    assert "No outlines: the mask" in _texts(test) and "the file is missing" in _texts(test)


def test_comparison_of_methods(open_page, trained):
    test = open_page("explain", run=trained.name, show="Comparison")
    assert "Each heatmap explains the class that its run predicts" in _texts(test)
    assert not test.error and len(test.get("image")) == 2
    next(box for box in test.multiselect if box.label == "Methods").set_value([]).run()
    assert "Choose at least one method" in _texts(test)


def test_mean_heatmap_by_class(open_page, trained):
    test = open_page("explain", run=trained.name, show="Mean heatmap by class")
    assert "The mean Grad-CAM of the test images" in _texts(test)
    predicted = set(trained.predictions("test")["predicted"])
    assert not test.error and len(test.get("image")) == len(predicted)


def test_faithfulness_checks_are_offered_run_and_shown(open_page, trained, at_once):
    test = open_page("explain", run=trained.name, show="Faithfulness")
    assert "have not been checked" in _texts(test)
    next(b for b in test.button if b.label == "Run faithfulness checks").click().run()
    assert not test.exception, test.exception
    assert "Eigen-CAM" in _texts(test) and len(test.dataframe) == 2
    model, image = (frame.value for frame in test.dataframe)
    assert list(model["method"])[-1] == "random map" and "Grad-CAM" in list(image["method"])
    shown = model.set_index("method").loc["LayerCAM", "insertion"]
    check = faithfulness.load(trained).methods["layercam"].insertion
    assert shown == f"{check.value:.2f} ({check.low:.2f} to {check.high:.2f})"


def test_faithfulness_without_flaws(open_page, audited):
    found = faithfulness.load(audited)
    found.model_copy(update={"flaws": {name: [] for name in found.flaws}}).write(audited.folder / faithfulness.FILE)
    assert "No method fails a check" in _texts(open_page("explain", run=audited.name, show="Faithfulness"))


def test_shortcut_is_shown_beside_the_heatmaps(open_page, audited):
    found = shortcut.load(audited)
    update = {"is_shortcut": True, "sentence": msg("Border {share}.", share="97%")}
    found.model_copy(update=update).write(audited.folder / shortcut.FILE)
    assert "**Shortcut found.** Border 97%." in _texts(open_page("explain", run=audited.name))
    assert "**Shortcut found.** Border 97%." in _texts(open_page("results", run=audited.name, tab="Robustness"))
    found.model_copy(update={"is_shortcut": False}).write(audited.folder / shortcut.FILE)
    assert "hortcut" not in _texts(open_page("explain", run=audited.name))
    (audited.folder / shortcut.FILE).unlink()
    assert "The shortcut audit was not run" in _texts(open_page("explain", run=audited.name))


def test_shortcut_audit_and_mitigations(open_page, trained, at_once):
    test = open_page("results", run=trained.name, tab="Robustness")
    next(b for b in test.button if b.label == "Run shortcut audit").click().run()
    assert not test.exception, test.exception
    text = _texts(test)
    assert "corner** changes" in text or "changes none of" in text
    assert "Share of the Grad-CAM outside the lungs" in text and "n = 12" in text
    next(b for b in test.button if b.label == "Compare mitigations").click().run()
    assert not test.exception, test.exception
    assert "of the image before the transform" in _texts(test)
    assert len(test.dataframe[-1].value["image transform"]) == len(mitigations.load(trained).transforms)


def test_read_only_shows_what_was_measured(open_page, audited, monkeypatch):
    audited.show(True)
    (audited.folder / shortcut.FILE).unlink()
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    shown = _texts(open_page("explain", run=audited.name, show="Faithfulness"))
    assert "**Deletion**: area" in shown and "Not measured" not in shown
    assert "Not measured for this run" in _texts(open_page("results", run=audited.name, tab="Robustness"))


def test_four_views_slow_method_and_similar_images(open_page, trained, monkeypatch):
    test = open_page("explain", run=trained.name)
    next(box for box in test.selectbox if box.label == "View").set_value("Four views with zoom")
    next(box for box in test.selectbox if box.label == "Method").set_value("occlusion")
    next(toggle for toggle in test.toggle if "most similar" in toggle.label).set_value(True)
    test.run()
    assert not test.exception, test.exception
    text = _texts(test)
    assert "Draw a rectangle" in text and "Zeiler" in text and "Cosine similarity" in text
    assert "random sample" not in text
    layer = next(box for box in test.selectbox if box.label == "Layer")
    assert layer.disabled and len(layer.options) == 1
    monkeypatch.setattr(ood, "MOST", 10)
    known = len(trained.table) - len(trained.predictions("test"))
    assert f"A random sample of 10 of the {known} training and validation images was searched" in _texts(test.run())


def _strip(test):
    """Return the numbers of the thumbnails, and whether there is a previous and a next image."""
    numbers = [int(button.label.split(".")[0]) for button in test.button if re.match(r"\d+\. ", button.label)]
    steps = {button.label: not button.disabled for button in test.button if button.label in ("Previous", "Next")}
    return numbers, (steps["Previous"], steps["Next"])


def test_previous_and_next_image_are_those_of_the_list_errors_first(open_page, made):
    """Of 20 test images, 1 of the first ten and 2 of the last ten are incorrect: these come first."""
    test = open_page("explain", run=made[2].name)
    wrong = list(made[2].predictions("test").query("not correct").index)
    assert len(wrong) == 3 and _strip(test) == (list(range(1, 10)), (False, True))
    for expected in (wrong[1], wrong[2]):
        next(button for button in test.button if button.label == "Next").click().run()
        assert test.query_params["image"] == str(expected)
    next(button for button in test.button if button.label == "Previous").click().run()
    assert test.query_params["image"] == str(wrong[1])
    right = list(made[2].predictions("test").query("correct").index)
    next(button for button in test.button if button.label.startswith("6. ")).click().run()
    assert test.query_params["image"] == str(right[2])
    test = open_page("explain", run=made[2].name, image=str(right[-1]))
    assert _strip(test) == (list(range(12, 21)), (True, False))


def test_opacity_does_not_compute_the_heatmap_again(open_page, made, monkeypatch):
    """Layer-CAM is not kept with the run: it is computed once, whatever the opacity, the colours and the view are."""
    asked = []
    heatmap = np.eye(2, dtype=np.float32)[None]

    def explained(run, source, layer, method, score, progress):
        asked.append(method)
        return Explanation(np.zeros((8, 8, 3), np.uint8), np.array([0.9, 0.1]), heatmap, None, np.zeros(3))

    monkeypatch.setattr(loaded_runs, "explain", explained)
    test = open_page("explain", run=made[2].name)
    next(box for box in test.selectbox if box.label == "Method").set_value("layercam").run()
    next(slider for slider in test.slider if slider.label == "Opacity").set_value(0.9).run()
    next(box for box in test.selectbox if box.label == "Colour map").set_value("magma").run()
    assert not test.exception and asked == ["layercam"]


def test_zones_of_the_lungs_that_the_heatmap_lies_in(open_page, trained):
    """The numbers of the sentence are those of the diagram; at most three zones are named."""
    test = open_page("explain", run=trained.name, image="0")
    (sentence,) = [element.value for element in test.markdown if element.value.startswith("The heatmap lies here:")]
    shares = [int(share) for share in re.findall(r"(\d+)%", sentence)]
    assert shares == sorted(shares, reverse=True)
    charts = [json.loads(chart.proto.spec) for chart in test.get("plotly_chart")]
    texts = [[mark["text"] for mark in chart["layout"].get("annotations", [])] for chart in charts]
    (zones,) = [found for found in texts if any(text.startswith("Outside the lungs") for text in found)]
    numbers = [int(text.rstrip("%")) for text in zones[:6]]
    outside = int(re.search(r"outside the lungs (\d+)%", sentence)[1])
    assert abs(sum(numbers) + outside - 100) <= 4
    assert sentence.count("zone") == min(3, sum(number >= 5 for number in numbers))


def test_mean_heatmap_says_that_it_is_of_a_sample(open_page, trained, monkeypatch):
    monkeypatch.setattr(mean_heatmap, "MOST", 1)
    label, count = trained.predictions("test")["predicted"].value_counts().head(1).reset_index().iloc[0]
    test = open_page("explain", run=trained.name, show="Mean heatmap by class")
    shown = " ".join(str(image.proto) for image in test.get("image"))
    assert f"{label}: 1 of {count} images, chosen at random, 1 aligned by their lungs" in shown


def test_many_images_are_chosen_from_pages(open_page, made, monkeypatch):
    """20 test images on 3 pages of 8: the page follows the image, and a page begins with its first image."""
    monkeypatch.setattr(test_images, "_PER_PAGE", 8)
    table = made[2].predictions("test")
    order = [str(row) for row in table.sort_values("correct", kind="stable").index]

    def shown(test):
        box = next(box for box in test.selectbox if box.label == "Test image (errors first)")
        return box.value, len(box.options), next(x for x in test.number_input if x.label == "Page (of 3)")

    test = open_page("explain", run=made[2].name)
    assert shown(test)[:2] == (order[0], 8) and shown(test)[2].value == 1
    shown(test)[2].set_value(3).run()
    assert shown(test)[:2] == (order[16], 4) and test.query_params["image"] == order[16]
    next(button for button in test.button if button.label == "Previous").click().run()
    assert shown(test)[:2] == (order[15], 8) and shown(test)[2].value == 2
    test = open_page("explain", run=made[2].name, image=order[19])
    assert shown(test)[:2] == (order[19], 4) and shown(test)[2].value == 3
