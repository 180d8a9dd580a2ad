"""The Explain page in a real browser: options, an uploaded DICOM, downloads, faithfulness and the shortcut audit."""

import io
import re
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from cxrcore.audits import shortcut
from cxrcore.explain import faithfulness
from tests.data.dicom_files import radiograph

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def explain(shared_run, shared_server):
    return f"{shared_server}/explain?run={shared_run.name}"


def _choose(page, label, option):
    if label not in ("Method", "View") and not page.get_by_test_id("stPopoverBody").is_visible():
        page.get_by_role("button", name="Class, layer and colours").click()
    page.get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def _changed(overlay, before):
    """Wait for another picture; return its address."""
    expect(overlay).to_have_count(1)
    expect(overlay).not_to_have_attribute("src", before)
    return overlay.get_attribute("src")


def test_class_layer_method_and_opacity_change_the_overlay(explain, page, shot):
    page.goto(explain)
    overlay = page.get_by_role("img", name=re.compile("of .* for"))
    expect(overlay).to_be_visible()
    seen = overlay.get_attribute("src")
    for label, option, caption in (
        ("Class to explain", "COVID", "Grad-CAM for COVID"),
        ("Contrast class", "NORMAL", "Grad-CAM for COVID against NORMAL"),
        ("Layer", "block3a_out", "Grad-CAM for COVID against NORMAL"),
        ("Method", "LayerCAM", "LayerCAM for COVID against NORMAL"),
        ("Method", "Occlusion", "Occlusion for COVID against NORMAL"),
        ("Colour map", "magma", "Occlusion for COVID against NORMAL"),
    ):
        _choose(page, label, option)
        expect(page.get_by_text(caption, exact=True).first).to_be_visible(timeout=60_000)
        seen = _changed(overlay, seen)
    slider = page.get_by_role("slider", name="Opacity")
    slider.focus()
    slider.press("ArrowRight")
    _changed(overlay, seen)
    expect(page.get_by_text("Zeiler & Fergus 2014")).to_be_visible()
    shot(page, "explain-knobs")


def test_four_views_zoom_together(explain, page, shot):
    page.goto(explain)
    expect(page.get_by_role("img", name=re.compile("of .* for"))).to_be_visible()
    _choose(page, "View", "Four views with zoom")
    expect(page.locator(".js-plotly-plot image")).to_have_count(4)
    first = page.locator(".js-plotly-plot .nsewdrag").first
    first.scroll_into_view_if_needed()
    box = first.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5, steps=5)
    page.mouse.up()
    page.wait_for_timeout(800)
    ranges = page.evaluate(
        "(l => ['xaxis', 'xaxis2', 'xaxis3', 'xaxis4'].map(a => l[a].range.map(Math.round)))"
        "(document.querySelector('.js-plotly-plot').layout)"
    )
    assert ranges[0] == ranges[1] == ranges[2] == ranges[3] and ranges[0][1] - ranges[0][0] < 200
    shot(page, "explain-views")


def test_dicom_upload_is_explained_and_its_overlay_downloaded(explain, shared_run, shared_workspace, page, monkeypatch):
    monkeypatch.setenv("CXR_HOME", str(shared_workspace))
    grey = np.asarray(Image.open(shared_run.predictions("test")["path"][0]).convert("L")).astype(np.uint16)
    file = {"name": "chest.dcm", "mimeType": "application/dicom", "buffer": radiograph(grey * 16)}
    page.goto(f"{explain}&show=Upload")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("img", name=re.compile("Grad-CAM of chest.dcm"))).to_be_visible(timeout=90_000)
    expect(page.get_by_text(re.compile("In distribution"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile(r"^X-ray \S+: (COVID|NORMAL|OTHER)"))).to_have_count(5)
    with page.expect_download() as download:
        page.get_by_role("button", name="Overlay as PNG").click()
    picture = np.asarray(Image.open(io.BytesIO(download.value.path().read_bytes())))
    assert picture.shape[2] == 3 and np.ptp(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)[..., 1]) > 100  # in colours


def test_overlays_are_downloaded_as_zip(explain, page):
    page.goto(explain)
    with page.expect_download() as download:
        page.get_by_role("button", name="All 12 Grad-CAM overlays as ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 12 and archive.testzip() is None


@pytest.mark.nightly
def test_faithfulness_checks_continue_without_the_page(explain, shared_run, page, shot):
    page.goto(f"{explain}&show=Faithfulness")
    page.get_by_role("button", name="Run faithfulness checks").click()
    expect(page.get_by_text("The task continues when you leave the page.")).to_be_visible()
    page.goto(f"{explain}&show=Comparison")  # away, and back
    expect(page.get_by_role("img", name=re.compile("Grad-CAM of"))).to_have_count(1, timeout=90_000)
    page.goto(f"{explain}&show=Faithfulness")
    expect(page.get_by_text(re.compile("Least faithful method|No method fails"))).to_be_visible(timeout=120_000)
    assert faithfulness.load(shared_run).methods["grad-cam"].lesions.pointing.n > 0
    shot(page, "explain-faithfulness")


@pytest.mark.nightly
def test_shortcut_audit_is_shown_on_results_and_before_heatmaps(explain, shared_run, page, shot):
    page.goto(explain.replace("/explain", "/results") + "&tab=Robustness")
    page.get_by_role("button", name="Run shortcut audit").click()
    expect(page.get_by_text(re.compile("With only a border of"))).to_be_visible(timeout=120_000)
    expect(page.get_by_role("heading", name="Mitigations")).to_be_visible()
    shot(page, "results-robustness")
    found = shortcut.load(shared_run)
    found.model_copy(update={"is_shortcut": True}).write(shared_run.folder / shortcut.FILE)
    page.goto(explain)
    expect(page.get_by_text("Shortcut found.")).to_be_visible()
