"""The journey of a first visitor, in a real browser: from nothing to a Grad-CAM."""

import re

import pytest
from playwright.sync_api import expect

from cxrcore.runs import Run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def _epoch(page):
    """Return the last epoch of the first curve; long curves are thinned, so points would not tell."""
    return page.evaluate("document.querySelector('.js-plotly-plot')?.data?.[0]?.x?.at(-1) ?? 0")


def _wait_for_epochs(page, more_than):
    page.wait_for_function(
        "least => (document.querySelector('.js-plotly-plot')?.data?.[0]?.x?.at(-1) ?? 0) > least",
        arg=more_than,
        timeout=60_000,  # a worker loads TensorFlow beside other tests on two cores
    )
    return _epoch(page)


def _no_sideways_scrolling(page):
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.fixture(scope="module")
def first_run(server, chromium):
    """The address of a run started by the first button on the first page."""
    page = chromium.new_page()
    page.set_default_timeout(90_000)
    page.goto(server)
    page.get_by_role("button", name="Draw phantoms and train").click()
    page.wait_for_url(re.compile(r"/train\?run="))
    expect(page.get_by_text("Finished after")).to_be_visible(timeout=120_000)
    address = page.url
    page.close()
    return address


def test_the_first_button_leads_to_a_trained_model(first_run, page, shot):
    page.goto(first_run)
    expect(page.get_by_text(re.compile(r"Test accuracy \d+\.\d%: \d+ of 72 images right"))).to_be_visible()
    page.get_by_role("link", name="See the results").click()
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    assert "run=" in page.url
    expect(page.get_by_role("img", name=re.compile("X-ray, predicted")).first).to_be_visible()
    shot(page, "results")


def _open(page, title, content):
    """Open an expander; a click on one that is about to be drawn anew is lost, so it may take another."""
    expect(page.get_by_text(title)).to_be_visible()
    for _ in range(5):
        if not content.is_visible():
            page.get_by_text(title).click()
        page.wait_for_timeout(1500)
        if content.is_visible():
            return
    raise AssertionError(f"{title} does not open")


def test_the_curve_grows_survives_a_reload_and_stop_keeps_the_best(first_run, server, workspace, page, shot):
    page.goto(f"{server}/train")
    _open(page, "Hyper-parameters", page.get_by_label("Epochs", exact=True))
    for label, value in (("Epochs", "50000"), ("Stop early after", "0")):
        box = page.get_by_label(label, exact=True)
        box.fill(value)
        box.press("Tab")
        page.wait_for_timeout(700)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/train\?.*run="))
    first = _wait_for_epochs(page, 5)
    second = _wait_for_epochs(page, first)
    shot(page, "train")
    page.reload()
    assert _wait_for_epochs(page, second) > second
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Stopped after")).to_be_visible()
    run = Run(workspace / "runs" / re.search(r"run=([^&]+)", page.url)[1])
    assert run.status["state"] == "stopped" and run.metrics["n_test"] == 72


def test_explain_shows_the_overlay_and_follows_the_knobs(first_run, server, page, shot):
    page.goto(first_run.replace("/train", "/explain"))
    overlay = page.get_by_role("img", name=re.compile("Grad-CAM of"))
    expect(overlay).to_be_visible()
    before = overlay.get_attribute("src")
    page.get_by_label("Class to explain").click()
    page.get_by_role("option", name="OTHER INFECTION").click()
    expect(page.get_by_text("Grad-CAM for OTHER INFECTION").first).to_be_visible()
    expect(overlay).not_to_have_attribute("src", before)
    shot(page, "explain")
    with page.expect_download() as download:
        page.get_by_role("button", name="Overlay as PNG").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_an_uploaded_image_is_explained(first_run, workspace, page):
    page.goto(first_run.replace("/train", "/explain"))
    page.get_by_text("Upload", exact=True).click()
    image = next((workspace / "datasets" / "phantom" / "images").glob("covid*.png"))
    page.locator("input[type=file]").set_input_files(image)
    expect(page.get_by_role("img", name=re.compile("Grad-CAM of"))).to_be_visible(timeout=90_000)


@pytest.mark.parametrize("name", ["home", "data", "train", "results", "explain"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (420, "light")])
def test_pages_fit_the_window_without_errors(first_run, server, chromium, shot, name, width, scheme):
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    failures = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{server}/{'' if name == 'home' else name}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_timeout(1200)
    _no_sideways_scrolling(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    shot(page, f"{name}-{scheme}-{width}")
    context.close()
    assert failures == []
