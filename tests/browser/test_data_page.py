"""The Data page in a browser: generate, audit, open an image, relabel, undo, upload."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from cxrcore.data.images import png
from cxrcore.figures import flow_diagram
from tests.data.zip_files import zipped

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def generated(server, chromium):
    """The address of a dataset generated on the empty page."""
    page = chromium.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{server}/data")
    expect(page.get_by_text("No dataset yet")).to_be_visible()
    page.get_by_label("Patients per class").fill("4")
    page.get_by_role("button", name="Generate", exact=True).click()
    expect(page.get_by_text("Images in use")).to_be_visible()
    address = page.url
    page.close()
    return address


def test_flow_of_the_images_is_drawn(generated, page):
    page.goto(generated)
    flow = page.get_by_role("img", name="Identified: 24. Left out: 0. Included: 24 (")
    expect(flow).to_be_visible()
    assert flow.evaluate("image => image.decode().then(() => image.naturalWidth)") == flow_diagram.WIDTH
    page.set_viewport_size({"width": 420, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_audit_tab_and_url(generated, page, shot):
    page.goto(generated)
    page.get_by_role("tab", name="Audit").click()
    page.get_by_role("button", name="Run the audit").click()
    expect(page.get_by_text("COVID has only 4 patients")).to_be_visible()
    expect(page.get_by_role("heading", name="Association with the class")).to_be_visible()
    assert "view=Audit" in page.url
    page.set_viewport_size({"width": 420, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    shot(page, "data-audit-narrow")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("button", name="Run the audit again")).to_be_visible()


def test_image_is_opened_relabelled_and_undone(generated, page, shot):
    page.goto(generated)
    page.get_by_role("tab", name="Images").click()
    expect(page.get_by_text("24 of 24 images")).to_be_visible()
    expect(page.locator(".cxr-grid figure")).to_have_count(24)  # the browser fills the cards in any order
    page.locator(".cxr-grid button").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img").first).to_be_visible()
    shot(page, "data-image")
    dialog.get_by_role("button", name="Relabel").click()
    expect(page.get_by_text("images relabelled to NORMAL: 1")).to_be_visible()
    page.get_by_role("button", name="Undo the last edit").click()
    expect(page.get_by_text("undid the last edit")).to_be_visible()


def test_zip_is_uploaded_and_imported(generated, server, page):
    rng = np.random.default_rng(0)
    files = {
        f"{'NORMAL' if number % 2 else 'PNEUMONIA'}/{number}.png": png(rng.integers(0, 256, (32, 32), dtype=np.uint8))
        for number in range(6)
    }
    page.goto(f"{server}/data?view=Add+a+dataset&from=Upload")
    page.locator("input[type=file]").set_input_files(
        {"name": "mine.zip", "mimeType": "application/zip", "buffer": zipped(files)}
    )
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Images in use")).to_be_visible()
    assert re.search("dataset=mydata", page.url)
