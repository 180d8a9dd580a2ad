"""A question of two classes in a real browser: from synthetic X-rays to results, heatmaps and the report."""

import re

import pytest
from playwright.sync_api import expect

from cxrcore.data import dataset
from cxrcore.runs import Run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NAMES = ("NORMAL", "CARDIOMEGALY")


def _choose_classes(page):
    """Choose the classes of phantoms: remove those that are not wanted and add the other."""
    box = page.get_by_test_id("stMultiSelect")
    expect(box).to_be_visible()
    for name in ("COVID", "OTHER INFECTION"):
        box.get_by_role("button", name=f"Remove {name}").click()
        page.wait_for_timeout(700)
    box.locator("input").fill("CARDIOMEGALY")
    page.get_by_role("option", name="CARDIOMEGALY", exact=True).click()
    page.wait_for_timeout(700)


@pytest.mark.nightly
def test_question_from_synthetic_images_to_report(server, workspace, page, shot, monkeypatch):
    monkeypatch.setenv("CXR_HOME", str(workspace))
    page.goto(f"{server}/data?view=Add a dataset")
    _choose_classes(page)
    for label, value in (("Patients per class", "6"), ("Images per patient", "1"), ("Name", "set2")):
        page.get_by_label(label, exact=True).fill(value)
        page.get_by_label(label, exact=True).press("Tab")
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("button", name="Train on this dataset").click()
    assert set(dataset.load("set2").classes) == set(NAMES)
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("Finished after")).to_be_visible(timeout=120_000)
    run = Run(workspace / "runs" / re.search(r"run=([^&]+)", page.url)[1])
    page.get_by_role("link", name="See the results").click()
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    shot(page, "results-2")
    page.get_by_role("tab", name="Metrics").click()
    expect(page.get_by_role("heading", name="Summary")).to_be_visible()
    assert run.positive == "CARDIOMEGALY"
    expect(page.get_by_text("images of CARDIOMEGALY")).to_be_visible()
    expect(page.get_by_text(re.compile("images of NORMAL, .* predicted correctly"))).to_have_count(0)
    page.get_by_role("tab", name="Export").click()
    page.get_by_role("button", name="Prepare").first.click()  # the report is the first of the list
    with page.expect_download(timeout=90_000) as download:
        page.locator("button[kind=primary]").filter(has_text="Download").click()
    report = download.value.path().read_text()
    assert all(name in report for name in NAMES)
    page.goto(f"{server}/explain?run={run.name}")
    expect(page.get_by_role("img", name=re.compile("Grad-CAM of"))).to_be_visible()
    shot(page, "explain-2")
