"""The Results page in a real browser: confusion matrix, sliders, notes, languages, exports and the HTML report."""

import re

import pytest
from playwright.sync_api import expect

from cxrcore import i18n
from cxrcore.evaluation import decision, error_analysis
from cxrcore.reports import html_report
from cxrcore.reports.run_summary import RunSummary

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def results(shared_run, shared_server):
    return f"{shared_server}/results?run={shared_run.name}"


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


def test_click_on_matrix_shows_its_images(results, shared_run, page, shot):
    table = shared_run.predictions("test")
    normal, predicted = table["label"] == "NORMAL", table["predicted"] == "NORMAL"
    page.goto(results)
    expect(page.get_by_text("12 of 12 test images")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("X-ray .*: predicted"))).to_have_count(12)
    for column, row, wanted, count in (
        (1, 1, ["true=NORMAL", "predicted=NORMAL"], (normal & predicted).sum()),
        (-1, 1, ["true=NORMAL"], normal.sum()),
        (1, -1, ["predicted=NORMAL"], predicted.sum()),
    ):
        _click_matrix(page, column, row, wanted)
        expect(page.get_by_text(f"{count} of 12 test images, highest confidence first")).to_be_visible()
        expect(page.get_by_role("img", name=re.compile("X-ray .*: predicted"))).to_have_count(int(count))
        assert ("true=" in page.url, "predicted=" in page.url) == (row >= 0, column >= 0)
    shot(page, "results-cell")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_text(f"{predicted.sum()} of 12 test images, highest confidence first")).to_be_visible(
        timeout=60_000
    )


def test_threshold_slider_moves_the_operating_point(results, shared_run, page):
    page.goto(f"{results}&tab=Probabilities")
    slider = page.get_by_role("slider", name="Decision threshold")
    expect(slider).to_be_visible()
    slider.focus()
    for _ in range(7):
        slider.press("ArrowLeft")
    page.wait_for_timeout(1500)
    threshold = float(page.get_by_test_id("stSliderThumbValue").first.inner_text())
    assert threshold < 0.5
    found = decision.at_threshold(shared_run.predictions("test"), "COVID", threshold)
    expect(page.get_by_text(f"{found.sensitivity.value:.1%} (").first).to_be_visible()
    expect(page.get_by_text(f"{found.specificity.value:.1%} (").first).to_be_visible()


def _opened(page, number):
    """Open an image of the first grid by the keyboard and return the dialog."""
    page.locator(".cxr-grid button").nth(number).focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img", name=re.compile("^X-ray")).first).to_be_visible()
    return dialog


def test_click_opens_an_image_and_arrow_keys_the_next(results, shared_run, page, shot):
    names = [path.rsplit("/", 1)[-1] for path in shared_run.predictions("test")["path"]]
    page.goto(results)
    images = page.locator(".cxr-grid button")
    expect(images).to_have_count(12)
    images.nth(1).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("2 of 12", exact=True)).to_be_visible()
    number = int(re.search(r"sample=(\d+)", page.url)[1])
    expect(dialog.get_by_role("img", name=f"X-ray {names[number]}", exact=True)).to_be_visible()
    shot(page, "results-sample")

    opacity = dialog.get_by_role("slider", name="Opacity of the heatmap (Grad-CAM)")
    opacity.focus()
    opacity.press("ArrowRight")
    assert opacity.input_value() == "51"
    assert dialog.locator("img.over").evaluate("image => image.style.opacity") == "0.51"
    expect(dialog.get_by_text("2 of 12", exact=True)).to_be_visible()

    dialog.get_by_text("2 of 12", exact=True).click()
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_text("3 of 12", exact=True)).to_be_visible()
    page.wait_for_url(lambda url: f"sample={number}" not in url)
    number = int(re.search(r"sample=(\d+)", page.url)[1])
    expect(dialog.get_by_role("img", name=f"X-ray {names[number]}", exact=True)).to_be_visible()
    assert opacity.input_value() == "51"

    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("dialog").get_by_text("3 of 12", exact=True)).to_be_visible(timeout=60_000)
    other.close()

    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.wait_for_url(lambda url: "sample=" not in url)
    expect(images.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("link", name="Open in Explain").click()
    expect(page.get_by_role("heading", name="Explain", exact=True)).to_be_visible()


def test_notes_are_kept_beside_those_of_others(results, shared_run, page):
    page.goto(f"{results}&tab=Errors")
    note = page.get_by_role("dialog").get_by_label("note")
    for number, text in enumerate(("a second look", "mine")):
        expect(page.locator(".cxr-grid button").first).to_be_visible()
        dialog = _opened(page, number)
        # At the end one field, and an empty one: while a page runs, that of the image before is left beside it.
        page.wait_for_function(
            "() => { const notes = [...document.querySelectorAll('[role=dialog] textarea[aria-label=note]')];"
            " return notes.length === 1 && notes[0].value === ''; }"
        )
        note.fill(text)
        note.press("Tab")
        for _ in range(60):
            if text in error_analysis.read_notes(shared_run).values():
                break
            page.wait_for_timeout(250)
        if not number:
            (digest,) = error_analysis.read_notes(shared_run)
            error_analysis.write_note(shared_run, digest, "by another person")
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        # The grid is drawn again with the notes: a key that is pressed meanwhile is lost, as for a person.
        expect(page.get_by_text(f"note: {'mine' if number else 'by another person'}")).to_be_visible()
    assert sorted(error_analysis.read_notes(shared_run).values()) == ["by another person", "mine"]


TABS = ("Images", "Metrics", "Probabilities", "Errors", "Robustness", "Training curves", "Export")


def test_language_switch_leaves_no_english_text(results, page, shot):
    page.goto(f"{results}&which=incorrect&true=OTHER+INFECTION")
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
        assert {line for line in lines if i18n.t(line) != line} == set(), name
        shot(page, f"results-pt-{name.lower().replace(' ', '-')}")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("heading", name="Resultados")).to_be_visible(timeout=60_000)
    other.get_by_role("link", name="Explicar").first.click()
    expect(other.get_by_role("heading", name="Explicar")).to_be_visible()
    assert "lang=pt" in other.url


def test_report_is_prepared_and_downloaded(results, page):
    page.goto(f"{results}&tab=Export")
    page.get_by_role("button", name="Prepare").first.click()
    button = page.get_by_test_id("stBaseButton-primary")  # what was prepared
    expect(button).to_be_visible()
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename.endswith("report.html")
    assert "not for clinical use" in download.value.path().read_text()


def test_tables_have_no_download_whose_formulas_are_not_marked(results, page):
    page.goto(f"{results.partition('/results')[0]}/compare")
    page.get_by_test_id("stDataFrame").hover()
    expect(page.get_by_role("button", name="Search")).to_be_visible()
    expect(page.locator('[aria-label="Download as CSV"]')).to_have_count(1)  # else Streamlit calls it otherwise
    expect(page.locator('[aria-label="Download as CSV"]')).to_be_hidden()
    expect(page.get_by_role("button", name="Table as CSV")).to_be_visible()


@pytest.fixture
def report(shared_run, shared_workspace, chromium, tmp_path, monkeypatch):
    """The HTML report opened without a network connection; its page must end without an error or a request."""
    monkeypatch.setenv("CXR_HOME", str(shared_workspace))
    file = tmp_path / "report.html"
    file.write_text(html_report.render(RunSummary(shared_run)), encoding="utf-8")
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page, failures, asked = context.new_page(), [], []
    page.on("console", lambda message: failures.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
    page.goto(file.as_uri())
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    yield page
    context.close()
    assert failures == [] and asked == []


def test_report_shows_heatmaps_on_request(report, shot):
    over = report.locator(".picture img + img").first
    assert over.evaluate("image => getComputedStyle(image).opacity") == "0"
    report.get_by_label("Show heatmaps (Grad-CAM)").check()
    assert over.evaluate("image => getComputedStyle(image).opacity") == "1"
    shot(report, "report-1280")


@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("resized", [False, True])
def test_figures_of_the_report_do_not_overlap(report, shot, width, resized):
    """Also when the window is resized after the figures were drawn."""
    report.set_viewport_size({"width": width, "height": 900})
    if not resized:
        report.reload()
    report.wait_for_timeout(800)
    plots = report.locator(".js-plotly-plot")
    assert plots.count() == 6
    assert report.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    boxes = [
        plot.evaluate(
            """plot => [plot, ...plot.querySelectorAll(".main-svg")].map(element => element.getBoundingClientRect())
               .reduce((a, b) => ({left: Math.min(a.left, b.left), right: Math.max(a.right, b.right),
                                   top: Math.min(a.top, b.top), bottom: Math.max(a.bottom, b.bottom)}))"""
        )
        for plot in plots.all()
    ]
    for number, a in enumerate(boxes):
        assert a["left"] >= 0 and a["right"] <= width + 1 and a["right"] - a["left"] >= 280, (number, a)
        for b in boxes[number + 1 :]:
            apart = a["right"] <= b["left"] + 1 or b["right"] <= a["left"] + 1
            assert apart or a["bottom"] <= b["top"] + 1 or b["bottom"] <= a["top"] + 1, (a, b)
    shot(report, f"report-{width}")
