"""The Explain page in a real browser: every knob, an uploaded DICOM, downloads, checks and the verdict."""

import io
import re
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.data.dicom_files import radiograph

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def explain(run, server):
    return f"{server}/explain?run={run.name}"


def _choose(page, label, option):
    page.get_by_label(label, exact=True).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def _changed(overlay, before):
    """Wait for another picture; return its address."""
    expect(overlay).to_have_count(1)
    expect(overlay).not_to_have_attribute("src", before)
    return overlay.get_attribute("src")


def test_class_layer_method_and_opacity_each_change_the_overlay(explain, page, shot):
    page.goto(explain)
    overlay = page.get_by_role("img", name=re.compile("of .* for"))
    expect(overlay).to_be_visible()
    seen = overlay.get_attribute("src")
    for label, option, said in (
        ("Class to explain", "COVID", "Grad-CAM for COVID"),
        ("Rather than", "NORMAL", "Grad-CAM for COVID rather than NORMAL"),
        ("Layer", "block3a_out", "Grad-CAM for COVID rather than NORMAL"),
        ("Method", "LayerCAM", "LayerCAM for COVID rather than NORMAL"),
        ("Method", "Occlusion", "Occlusion for COVID rather than NORMAL"),
        ("Colours", "magma", "Occlusion for COVID rather than NORMAL"),
    ):
        _choose(page, label, option)
        expect(page.get_by_text(said, exact=True).first).to_be_visible(timeout=60_000)
        seen = _changed(overlay, seen)
    slider = page.get_by_role("slider", name="Opacity")
    slider.focus()
    slider.press("ArrowRight")
    _changed(overlay, seen)
    expect(page.get_by_text("Zeiler & Fergus 2014")).to_be_visible()
    shot(page, "explain-knobs")


def test_four_views_zoom_together(explain, page, shot):
    page.goto(explain)
    page.get_by_text("Four views with zoom").click()
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


def test_a_dicom_is_explained_and_its_overlay_downloaded(explain, run, page):
    grey = np.asarray(Image.open(run.predictions("test")["path"][0]).convert("L")).astype(np.uint16)
    file = {"name": "chest.dcm", "mimeType": "application/dicom", "buffer": radiograph(grey * 16)}
    page.goto(f"{explain}&show=Upload")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("img", name=re.compile("Grad-CAM of chest.dcm"))).to_be_visible(timeout=90_000)
    expect(page.get_by_text(re.compile(r"Not unlike the images it learned from"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^X-ray, (COVID|NORMAL|OTHER)"))).to_have_count(5)
    with page.expect_download() as download:
        page.get_by_role("button", name="Overlay as PNG").click()
    picture = np.asarray(Image.open(io.BytesIO(download.value.path().read_bytes())))
    assert picture.shape[2] == 3 and np.ptp(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)[..., 1]) > 100  # in colours


def test_all_overlays_are_downloaded(explain, page):
    page.goto(explain)
    with page.expect_download() as download:
        page.get_by_role("button", name="All 12 Grad-CAM overlays as ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 12 and archive.testzip() is None


def test_whether_it_can_be_believed_is_measured_without_the_page(explain, run, page, shot):
    page.goto(f"{explain}&show=To+be+believed%3F")
    page.get_by_role("button", name="Measure whether it can be believed").click()
    expect(page.get_by_text("It goes on when you leave this page.")).to_be_visible()
    page.goto(f"{explain}&show=Compare")  # away, and back
    expect(page.get_by_role("img", name=re.compile("Grad-CAM of"))).to_have_count(1, timeout=90_000)
    page.goto(f"{explain}&show=To+be+believed%3F")
    expect(page.get_by_text(re.compile("Least to be believed here|No method fails"))).to_be_visible(timeout=120_000)
    assert run.faithfulness["methods"]["grad-cam"]["pointing"]["n"] > 0
    shot(page, "explain-believed")


def test_the_verdict_of_the_audit_is_read_on_results_and_before_the_maps(explain, run, server, page, shot):
    page.goto(f"{server}/results?run={run.name}&tab=Honesty")
    page.get_by_role("button", name="Run the shortcut audit").click()
    expect(page.get_by_text(re.compile("With only a border of"))).to_be_visible(timeout=120_000)
    expect(page.get_by_role("heading", name="What can be done?")).to_be_visible()
    shot(page, "results-honesty")
    sentence = run.shortcut["sentence"]
    run.write("shortcut.json", run.shortcut | {"verdict": "shortcut"})
    page.goto(explain)
    expect(page.get_by_text("These images offer a shortcut.")).to_be_visible()
    assert sentence
