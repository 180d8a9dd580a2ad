"""Control and comparison of runs in a real browser: pause, continue, compare, delete, restore, sweep."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError, expect

from cxrcore.runs import Run
from tests.browser.test_journey import _epoch, _no_sideways_scrolling, _wait_for_epochs, choose_gradient_descent

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def second(run, server, chromium):
    """A run of another rate beside the first, started on the page; the address of its page."""
    page = chromium.new_page()
    page.set_default_timeout(90_000)
    page.goto(f"{server}/train")
    for group in ("Model", "Optimisation"):
        page.get_by_test_id("stExpander").get_by_text(group, exact=True).click()
        page.wait_for_timeout(700)
    choose_gradient_descent(page)
    for label, value in (("Epochs", "50000"), ("Early-stopping patience", "0"), ("Input size", "64")):
        box = page.get_by_role("spinbutton", name=label, exact=True)
        box.fill(value)
        box.press("Tab")
        page.wait_for_timeout(700)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/train\?.*run="))
    address = page.url
    page.close()
    return address


def _of(workspace, address):
    return Run(workspace / "runs" / re.search(r"run=([^&]+)", address)[1])


def _stop(page):
    """Press Stop, again if the page was being drawn again."""
    for _ in range(3):
        page.get_by_role("button", name="Stop", exact=True).click()
        try:
            expect(page.get_by_text("Stopped after")).to_be_visible(timeout=15_000)
            return
        except AssertionError:
            continue
    raise AssertionError("the run did not stop")


def test_run_is_paused_given_a_learning_rate_stopped_and_continued(second, workspace, page, shot):
    page.goto(second)
    _wait_for_epochs(page, 5)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused. It keeps its place")).to_be_visible()
    page.wait_for_timeout(1500)
    held = _epoch(page)
    page.wait_for_timeout(1500)
    assert _epoch(page) == held
    page.get_by_role("button", name="Learning rate").click()
    rate = page.get_by_role("spinbutton", name="From the next epoch on")
    rate.fill("0.0005")
    rate.press("Enter")
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Set", exact=True).click()
    page.wait_for_timeout(1000)
    shot(page, "paused")
    page.get_by_role("heading", name="Train", exact=True).click()  # closes the popover
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    _wait_for_epochs(page, held)
    expect(
        page.get_by_text(re.compile(r"the learning rate was set to 0.0005. The schedule may reduce it"))
    ).to_be_visible()
    _stop(page)
    expect(page.get_by_text("The run has ended: stopped.")).to_be_visible()
    run = _of(workspace, second)
    last = run.epochs[-1].epoch
    page.get_by_role("button", name="Continue training").click()
    page.get_by_test_id("stPopoverBody").get_by_role("button", name="Continue").click()
    _wait_for_epochs(page, last)
    _stop(page)
    numbers = [epoch.epoch for epoch in run.epochs]
    assert numbers == list(range(1, len(numbers) + 1)) and numbers[-1] > last
    expect(page.get_by_role("button", name="Continue training")).to_be_visible()
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    page.get_by_text("Note and command").click()
    note = page.get_by_role("textbox", name="Note")
    note.fill("Slow but steady.")
    note.press("Control+Enter")
    expect(page.get_by_text("cxr train --data phantom").first).to_be_visible()
    page.wait_for_timeout(1500)
    assert run.card.note == "Slow but steady."


def _tick(page, row):
    """Click the box before a row of the table, which is drawn on a canvas."""
    table = page.get_by_test_id("stDataFrame").first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    page.mouse.click(box["x"] + 18, box["y"] + 35 + 18 + 35 * row)
    page.wait_for_timeout(1500)


def _downloaded(page, name):
    """Click until a file comes: a click while the page is drawn again is lost, as a person's is."""
    for _ in range(4):
        with suppress(TimeoutError):
            with page.expect_download(timeout=20_000) as download:
                page.get_by_role("button", name=name).click()
            return download.value.path()
    raise AssertionError(name)


def test_runs_are_compared_deleted_and_restored(second, run, server, workspace, page, shot):
    page.goto(f"{server}/compare")
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    page.wait_for_timeout(1500)
    _tick(page, 0)
    expect(page.get_by_role("button", name="Rename and tag")).to_be_visible()
    page.get_by_role("button", name="Rename and tag").click()
    page.get_by_role("textbox", name="Title").fill("slow one")
    page.get_by_role("textbox", name="Title").press("Enter")
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Save").click()
    page.wait_for_timeout(2000)
    assert _of(workspace, second).card.title == "slow one"
    page.goto(f"{server}/compare")
    page.wait_for_timeout(2500)
    _tick(page, 0)
    _tick(page, 1)
    expect(page.get_by_text(re.compile("Of 12 images that both runs were tested on")).first).to_be_visible()
    expect(page.get_by_role("heading", name="McNemar's test")).to_be_visible()
    _no_sideways_scrolling(page)
    shot(page, "compare")
    lines = _downloaded(page, "Table as CSV").read_text().splitlines()
    assert len(lines) == 3 and "slow one" in lines[1] and "accuracy_low" in lines[0]
    _tick(page, 1)
    page.get_by_role("button", name="More").click()
    page.get_by_test_id("stPopoverBody").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("is in the trash")).to_be_visible()
    assert not _of(workspace, second).folder.exists()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("is in the trash")).not_to_be_visible()
    assert _of(workspace, second).folder.exists()


@pytest.mark.nightly
def test_sweep_is_started_and_a_trial_promoted(run, server, workspace, page, shot):
    page.goto(f"{server}/train")
    page.get_by_role("tab", name="Sweep").click()
    for label, value in (("Trials", "4"),):
        box = page.get_by_role("spinbutton", name=label, exact=True)
        box.fill(value)
        box.press("Tab")
        page.wait_for_timeout(800)
    name = page.get_by_role("textbox", name="Name of the sweep")
    name.fill("browser")
    name.press("Tab")
    page.wait_for_timeout(800)
    page.get_by_role("button", name="Start the sweep").click()
    page.wait_for_url(re.compile("/compare"))
    expect(page.get_by_text("4 of 4 trials · not running")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("looks better on validation data than it is")).to_be_visible()
    shot(page, "sweep")
    _no_sideways_scrolling(page)
    _tick(page, 0)
    page.get_by_role("button", name=re.compile("Train and test trial")).click()
    page.wait_for_url(re.compile("/train"))
    expect(page.get_by_text("Finished after")).to_be_visible(timeout=120_000)
    opened = _of(workspace, page.url)
    assert opened.card.tags == ["sweep browser"] and opened.metrics.n_test == 12
