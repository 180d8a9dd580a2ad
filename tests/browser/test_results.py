"""The Results page in a real browser: the matrix as the way in, sliders, notes, languages, what is taken away."""

import re

import pytest
from playwright.sync_api import expect

from cxrcore import i18n
from cxrcore.evaluation import decision, error_analysis
from cxrcore.reports import html_report
from cxrcore.reports.run_summary import Facts

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def results(run, server):
    return f"{server}/results?run={run.name}"


def _click_matrix(page, column, row, wanted):
    """Click the matrix of 3 classes, -1 for the names, until the URL says `wanted`.

    A click while the page is still being drawn is lost, as it is for a person.
    """
    matrix = page.locator(".js-plotly-plot .nsewdrag").first
    for _ in range(6):
        matrix.scroll_into_view_if_needed()
        box = matrix.bounding_box()
        x, y = (box[start] + box[size] * (place + 1.5) / 4 for start, size, place in
                (("x", "width", column), ("y", "height", row)))  # fmt: skip
        page.mouse.move(box["x"] + 3, box["y"] + 3)
        page.mouse.move(x, y, steps=5)
        page.wait_for_timeout(400)
        page.mouse.click(x, y)
        page.wait_for_timeout(2500)
        if all(part in page.url for part in wanted):
            return
    raise AssertionError(page.url)


def test_a_cell_a_row_and_a_column_show_exactly_their_images(results, run, page, shot):
    table = run.predictions("test")
    normal, called = table["label"] == "NORMAL", table["predicted"] == "NORMAL"
    page.goto(results)
    expect(page.get_by_text("12 of 12 test images")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("X-ray, predicted"))).to_have_count(12)
    for column, row, wanted, count in (
        (1, 1, ["true=NORMAL", "predicted=NORMAL"], (normal & called).sum()),
        (-1, 1, ["true=NORMAL"], normal.sum()),
        (1, -1, ["predicted=NORMAL"], called.sum()),
    ):
        _click_matrix(page, column, row, wanted)
        expect(page.get_by_text(f"{count} of 12 test images, the surest first")).to_be_visible()
        expect(page.get_by_role("img", name=re.compile("X-ray, predicted"))).to_have_count(int(count))
        assert ("true=" in page.url, "predicted=" in page.url) == (row >= 0, column >= 0)
    shot(page, "results-cell")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_text(f"{called.sum()} of 12 test images, the surest first")).to_be_visible(timeout=60_000)


def test_the_threshold_slider_says_what_its_matrix_says(results, run, page):
    page.goto(f"{results}&tab=Probabilities")
    slider = page.get_by_role("slider", name="Decision threshold")
    expect(slider).to_be_visible()
    slider.focus()
    for _ in range(7):
        slider.press("ArrowLeft")
    page.wait_for_timeout(1500)
    threshold = float(page.get_by_test_id("stSliderThumbValue").first.inner_text())
    assert threshold < 0.5
    found = decision.at_threshold(run.predictions("test"), "COVID", threshold)
    expect(page.get_by_text(f"{found['sensitivity']['value']:.1%} (").first).to_be_visible()
    expect(page.get_by_text(f"{found['specificity']['value']:.1%} (").first).to_be_visible()


def _write_note(page, run, row, text):
    """Write a note into the last column of a row of the first table, as often as it takes: a table that was just
    drawn anew loses keys, as it does for a person.
    """
    table = page.get_by_test_id("stDataFrame").first
    for _ in range(6):
        page.keyboard.press("Escape")
        table.scroll_into_view_if_needed()
        page.wait_for_timeout(700)
        box = table.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 60, box["y"] + 80 + 84 * row)
        page.wait_for_timeout(500)
        page.keyboard.type(text, delay=40)  # typing opens the cell; a double click may open and close it
        page.wait_for_timeout(300)
        page.keyboard.press("Enter")
        page.wait_for_timeout(2500)
        if text in error_analysis.notes(run).values():
            return
    raise AssertionError(error_analysis.notes(run))


def test_a_note_stays_with_the_run_and_takes_no_other_persons_back(results, run, page):
    page.goto(f"{results}&tab=Mistakes")
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    _write_note(page, run, 0, "a second look")
    (digest,) = error_analysis.notes(run)
    error_analysis.write_note(run, digest, "by another person")
    _write_note(page, run, 1, "mine")
    assert sorted(error_analysis.notes(run).values()) == ["by another person", "mine"]


TABS = ("Images", "Numbers", "Probabilities", "Mistakes", "Honesty", "Learning", "Take away")


def test_the_language_switch_leaves_no_english_word(results, page, shot):
    page.goto(f"{results}&which=wrong&true=OTHER+INFECTION")
    expect(page.get_by_text(re.compile(r"\d+ of 12 test images"))).to_be_visible()
    page.get_by_text("Português").click()
    expect(page.get_by_role("heading", name="Resultados")).to_be_visible()
    assert "lang=pt" in page.url
    i18n.use("pt")
    for name in TABS:
        page.get_by_role("tab", name=i18n.t(name), exact=True).click()
        page.wait_for_timeout(2000)
        lines = {line.strip() for line in page.locator("body").inner_text().splitlines() if line.strip()}
        lines |= set(page.evaluate("[...document.querySelectorAll('input')].map(box => box.value)"))
        assert len(lines) > 20
        assert {line for line in lines if i18n.translated(line) != line} == set(), name
        shot(page, f"results-pt-{name.lower().replace(' ', '-')}")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("heading", name="Resultados")).to_be_visible(timeout=60_000)
    other.get_by_role("link", name="Explicar").first.click()
    expect(other.get_by_role("heading", name="Explicar")).to_be_visible()
    assert "lang=pt" in other.url


def test_a_report_is_prepared_and_downloaded(results, page):
    page.goto(f"{results}&tab=Take+away")
    page.get_by_role("button", name="Prepare").first.click()
    button = page.get_by_test_id("stBaseButton-primary")  # what was prepared
    expect(button).to_be_visible()
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename.endswith("report.html")
    assert "not for clinical use" in download.value.path().read_text()


def test_the_report_opens_without_a_network_and_without_errors(run, chromium, tmp_path, shot):
    file = tmp_path / "report.html"
    file.write_text(html_report.render(Facts(run)))
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page, failures, asked = context.new_page(), [], []
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
    page.goto(file.as_uri())
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    assert page.locator(".js-plotly-plot").count() == 6
    over = page.locator(".picture img + img").first
    assert over.evaluate("image => getComputedStyle(image).opacity") == "0"
    page.get_by_label("Show where the model looked (Grad-CAM)").check()
    assert over.evaluate("image => getComputedStyle(image).opacity") == "1"
    page.set_viewport_size({"width": 420, "height": 900})
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shot(page, "report-420")
    context.close()
    assert failures == [] and asked == []
