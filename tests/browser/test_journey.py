"""The first visit in a real browser: from an empty workspace to a Grad-CAM; every page on a phone."""

import re

import pytest
from playwright.sync_api import expect

from cxrcore.runs import Run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def _epoch(page):
    """Return the last epoch of the first curve (long curves are thinned)."""
    return page.evaluate("document.querySelector('.js-plotly-plot')?.data?.[0]?.x?.at(-1) ?? 0")


def _wait_for_epochs(page, more_than):
    page.wait_for_function(
        "least => (document.querySelector('.js-plotly-plot')?.data?.[0]?.x?.at(-1) ?? 0) > least",
        arg=more_than,
        timeout=60_000,  # a worker loads TensorFlow beside other tests on two cores
    )
    return _epoch(page)


def choose_gradient_descent(page):
    """Choose a head that is trained in epochs, in the open group Model of the form."""
    head = page.get_by_role("combobox", name=re.compile("Head"))
    option = page.get_by_role("option").filter(has_text=re.compile("^global average pooling . linear$"))
    for _ in range(5):  # a click while the page is drawn again closes the list
        if not option.is_visible():
            head.click()
        page.wait_for_timeout(1500)
        if option.is_visible():
            break
    option.click()
    expect(page.get_by_role("spinbutton", name="Epochs", exact=True)).to_be_visible()
    page.wait_for_timeout(700)


def _no_sideways_scrolling(page):
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.fixture(scope="module")
def first_run(server, chromium):
    """The address of a run started by the first button on the first page."""
    page = chromium.new_page()
    page.set_default_timeout(90_000)
    page.goto(server)
    page.get_by_role("button", name="Generate phantoms and train").click()
    page.wait_for_url(re.compile(r"/train\?run="))
    expect(page.get_by_text("Finished after")).to_be_visible(timeout=120_000)
    address = page.url
    page.close()
    return address


def test_demo_button_trains_a_model(first_run, page, shot):
    page.goto(first_run)
    expect(page.get_by_text(re.compile(r"Test accuracy \d+\.\d%: \d+ of 72 images correct"))).to_be_visible()
    page.get_by_role("link", name="See the results").click()
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    assert "run=" in page.url
    expect(page.get_by_role("img", name=re.compile(r"X-ray \S+: predicted")).first).to_be_visible()
    shot(page, "results")


def _open(page, title, content):
    """Open an expander; a click while the page is drawn again is lost, so it may take another."""
    summary = page.locator("summary").filter(has_text=title)
    expect(summary).to_be_visible()
    for _ in range(5):
        if not content.is_visible():
            summary.click()
        page.wait_for_timeout(1500)
        if content.is_visible():
            return
    raise AssertionError(f"{title} does not open")


def test_curve_survives_a_reload_and_stop_keeps_the_best_epoch(first_run, server, workspace, page, shot):
    page.goto(f"{server}/train")
    _open(page, "Model", page.get_by_role("combobox", name=re.compile("Head")))
    choose_gradient_descent(page)
    _open(page, "Optimisation", page.get_by_label("Early-stopping patience", exact=True))
    for label, value in (("Epochs", "50000"), ("Early-stopping patience", "0")):
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
    assert run.status.state == "stopped" and run.results.n_test == 72


def test_explain_shows_the_overlay_of_the_chosen_class(first_run, server, page, shot):
    page.goto(first_run.replace("/train", "/explain"))
    overlay = page.get_by_role("img", name=re.compile("Grad-CAM of"))
    expect(overlay).to_be_visible()
    before = overlay.get_attribute("src")
    page.get_by_role("button", name="Class, layer and colours").click()
    page.get_by_label("Class to explain").click()
    page.get_by_role("option", name="OTHER INFECTION").click()
    expect(page.get_by_text("Grad-CAM for OTHER INFECTION").first).to_be_visible()
    expect(overlay).not_to_have_attribute("src", before)
    shot(page, "explain")
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_role("button", name="Overlay as PNG").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def test_uploaded_image_is_explained(first_run, workspace, page):
    page.goto(first_run.replace("/train", "/explain"))
    page.get_by_text("Upload", exact=True).click()
    image = next((workspace / "datasets" / "phantom" / "images").glob("covid*.png"))
    page.locator("input[type=file]").set_input_files(image)
    expect(page.get_by_role("img", name=re.compile("Grad-CAM of"))).to_be_visible(timeout=90_000)


PAGES = {
    "home": "",
    "data": "data",
    "train": "train",
    "results": "results",
    "explain": "explain",
    "compare": "compare",
}
# WCAG 2.1: the contrast of each caption with the colours behind it, all of them blended.
CONTRASTS = """() => {
    const parse = text => (text.match(/[0-9.]+/g) || [0, 0, 0, 0]).map(Number);
    const over = (top, alpha, under) => top.slice(0, 3).map((value, k) => alpha * value + (1 - alpha) * under[k]);
    const background = element => {
        if (!element) return [255, 255, 255];
        const colour = parse(getComputedStyle(element).backgroundColor);
        const alpha = colour.length > 3 ? colour[3] : 1;
        return alpha === 0 ? background(element.parentElement) : over(colour, alpha, background(element.parentElement));
    };
    const opacity = element => element ? getComputedStyle(element).opacity * opacity(element.parentElement) : 1;
    const luminance = colour => colour.map(value => value / 255)
        .map(value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, k) => sum + value * [0.2126, 0.7152, 0.0722][k], 0);
    const captions = document.querySelectorAll("[data-testid=stCaptionContainer] p, [data-testid=stImageCaption]");
    return [...captions].map(element => {
        const under = background(element), colour = parse(getComputedStyle(element).color);
        const seen = over(colour, (colour.length > 3 ? colour[3] : 1) * opacity(element), under);
        const [low, high] = [luminance(seen), luminance(under)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    });
}"""


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_a_phone_asks_no_other_host_and_has_contrast(first_run, server, chromium, shot, name):
    context = chromium.new_context(viewport={"width": 420, "height": 900}, color_scheme="dark")
    page, failures, foreign = context.new_page(), [], set()

    def local_only(route):
        if route.request.url.startswith((server, "data:", "blob:")):
            route.continue_()
        else:
            foreign.add(route.request.url)
            route.abort()

    context.route("**/*", local_only)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{server}/{PAGES[name]}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_timeout(1500)
    _no_sideways_scrolling(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) >= 2 and min(contrasts) >= 4.5, contrasts
    shot(page, f"{name}-dark-420")
    context.close()
    assert failures == [] and foreign == set()


TITLE = "![x](https://host.example/t.png) `code` https://host.example :material/home: :smile: $x$ :red[text] a -> b"


def test_run_titles_stay_plain_text(first_run, server, workspace, page):
    run = Run(workspace / "runs" / re.search(r"run=([^&]+)", first_run)[1])
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "host.example" in request.url else None)
    run.describe(title=TITLE)
    try:
        page.goto(server)
        link = page.get_by_role("link").filter(has_text="material/home").first
        expect(link).to_be_visible()
        assert TITLE in link.inner_text().replace("\u2060", "")
        page.goto(f"{server}/results?run={run.name}")
        expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
        page.goto(f"{server}/train?run={run.name}")
        heading = page.get_by_role("heading").filter(has_text="material/home").first
        expect(heading).to_be_visible()
        assert TITLE in heading.inner_text().replace("\u2060", "")
        assert page.locator("a[href*='host.example'], img[src*='host.example']").count() == 0
    finally:
        run.describe(title="")
    assert asked == []
