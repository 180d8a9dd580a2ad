"""The Data page in a real browser: draw, check, open, relabel, undo, upload."""

import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def drawn(server, chromium):
    """The address of a dataset drawn from the empty state."""
    page = chromium.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{server}/data")
    expect(page.get_by_text("No dataset yet")).to_be_visible()
    page.get_by_label("Patients in each class").fill("4")
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.get_by_text("Images in use")).to_be_visible()
    address = page.url
    page.close()
    return address


def test_audit_tab_and_url(drawn, page, shot):
    page.goto(drawn)
    page.get_by_role("tab", name="Check").click()
    page.get_by_role("button", name="Check this dataset").click()
    expect(page.get_by_text("COVID has 4 patients only")).to_be_visible()
    expect(page.get_by_role("heading", name="What goes with the class")).to_be_visible()
    assert "view=Check" in page.url
    page.set_viewport_size({"width": 420, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shot(page, "data-check-narrow")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("button", name="Check again")).to_be_visible()


def test_image_is_enlarged_relabelled_and_undone(drawn, page, shot):
    page.goto(drawn)
    page.get_by_role("tab", name="Images").click()
    expect(page.get_by_text("24 of 24 images")).to_be_visible()
    expect(page.locator(".cxr-grid figure")).to_have_count(24)  # the browser fills the cards in any order
    page.get_by_role("button", name="Enlarge").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img").first).to_be_visible()
    shot(page, "data-image")
    dialog.get_by_role("button", name="Relabel").click()
    expect(page.get_by_text("images relabelled to NORMAL: 1")).to_be_visible()
    page.get_by_role("button", name="Undo the last edit").click()
    expect(page.get_by_text("undid the last edit")).to_be_visible()


def test_zip_is_uploaded_and_imported(drawn, server, page):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(6):
            image = io.BytesIO()
            pixels = np.random.default_rng(number).integers(0, 256, (32, 32), dtype=np.uint8)
            Image.fromarray(pixels).save(image, "PNG")
            file.writestr(f"{'NORMAL' if number % 2 else 'PNEUMONIA'}/{number}.png", image.getvalue())
    page.goto(f"{server}/data?view=Add+a+dataset&from=Upload")
    page.locator("input[type=file]").set_input_files(
        {"name": "mine.zip", "mimeType": "application/zip", "buffer": buffer.getvalue()}
    )
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Images in use")).to_be_visible()
    assert re.search("dataset=mydata", page.url)
