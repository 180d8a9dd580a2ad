"""axe-core on every page and tab; the way from training to a heatmap by the keyboard alone."""

import re

import pytest
from playwright.sync_api import expect

from scripts.check_accessibility import findings
from scripts.screenshots import settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


TITLE = "![x](https://host.example/t.png) <img src=https://host.example/u.png> `code` https://host.example :smile:"


def test_pages_and_tabs_have_no_serious_finding_and_ask_no_other_host(server, run, page):
    found, seen = {}, []  # scripts/check_accessibility.py also has audits, and the dark theme on every tab
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url.replace("ws://", "http://", 1)))
    run.describe(title=TITLE, tags=[TITLE])
    page.goto(server)
    page.wait_for_selector("h1")
    settle(page, 0.3)
    for link in range(page.get_by_test_id("stSidebarNavLink").count()):
        page.get_by_test_id("stSidebarNavLink").nth(link).click()
        settle(page, 0.3)
        title = page.get_by_role("heading", level=1).inner_text()
        found[title] = findings(page)
        for tab in range(1, page.get_by_role("tab").count()):  # the first one is open
            page.get_by_role("tab").nth(tab).click()
            settle(page, 0.3)
            name = page.get_by_role("tab", selected=True).last.inner_text()
            seen.append(name)
            found[f"{title}, {name}"] = findings(page, ["light"], 0)
    page.goto(f"{server}/train?run={run.name}")
    page.wait_for_selector("h1")
    settle(page, 0.3)
    found["Train, a finished run"] = findings(page)
    assert {place: listed for place, listed in found.items() if listed} == {}
    assert {"Audit", "Metrics", "Robustness", "Upload", "Faithfulness"} <= set(seen)
    assert len(asked) > 20 and [url for url in asked if not url.startswith((f"{server}/", "data:", "blob:"))] == []


NAME = """() => {
    const focused = document.activeElement;
    return focused.matches("a, button, [role=tab]") ? focused.getAttribute("aria-label") || focused.innerText : "";
}"""


def _tab_to(page, name):
    """Press Tab until the focus is on an element of this name."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if name in re.split(r"\s*\n\s*", page.evaluate(NAME).strip()):
            return
    raise AssertionError(f"Tab does not reach {name}")


def test_keyboard_alone_trains_and_opens_results_and_heatmaps(server, run, page):
    page.goto(server)
    page.wait_for_selector("h1")
    settle(page, 0.3)
    _tab_to(page, "Train")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    settle(page, 0.3)
    _tab_to(page, "Start training")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/train\?.*run="))
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    _tab_to(page, "Stop")
    page.keyboard.press("Space")
    _tab_to(page, "Results")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Confusion matrix")).to_be_visible()
    settle(page, 0.3)
    _tab_to(page, "Images")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Metrics", exact=True, selected=True)).to_be_visible()
    _tab_to(page, "Explain")
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name=re.compile("Grad-CAM of"))).to_be_visible()
