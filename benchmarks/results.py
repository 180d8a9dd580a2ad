"""The Results page on a large test set: `python -m benchmarks.results [images]`.

A real server and a real Chromium: seconds from opening the page to its first pictures, seconds from a click on the
confusion matrix to the pictures of that cell, seconds for each other tab, and the server's memory. Images are phantoms,
each file linked many times under different names.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from playwright.sync_api import Page, sync_playwright

from benchmarks.server import running
from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.data.classes import TUTORIAL
from cxrcore.data.phantom import dataset as phantoms
from cxrcore.evaluation import metrics
from cxrcore.files import append_line
from cxrcore.runs import Run
from cxrcore.runs.models import DatasetSnapshot, EpochMetrics, RunInfo, RunMetrics
from cxrcore.runs.run import EVENTS

CLASSES = list(TUTORIAL)
# The last heading of each tab that computes something.
TABS = {"Metrics": "Metrics by subgroup", "Probabilities": "Referral", "Errors": "Correct, low margin"}


def fake_run(count: int) -> Run:
    """Return a finished run with `count` test images of half as many patients and an accuracy of about 0.9."""
    rng = np.random.default_rng(0)
    known = "phantom" in dataset.names()
    drawn = (dataset.load("phantom") if known else phantoms.create("phantom", patients=40, images=2)).usable
    rows = drawn.iloc[np.arange(count) % len(drawn)].reset_index(drop=True)
    links = Path(os.environ["CXR_HOME"]) / f"links {count}"
    links.mkdir()
    for number, path in enumerate(rows["path"]):
        os.link(path, links / f"{number:06d}.png")
    rows["path"] = [str(links / f"{number:06d}.png") for number in range(count)]
    rows["sha256"] = [f"{number:064x}" for number in range(count)]
    rows["patient"] = [f"p{number // 2}" for number in range(count)]
    rows["source"] = [f"hospital {number % 5}" for number in range(count)]
    truth = np.eye(3)[[CLASSES.index(label) for label in rows["label"]]]
    logits = 2.2 * truth + rng.normal(size=(count, 3))
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    parts = {part: rows.assign(split=part) for part in (dataset.TEST, dataset.VALIDATION)}
    run = runs.create(run_config.make(dataset="phantom", head="gap"))
    predictions = metrics.predictions(parts[dataset.TEST], probabilities, CLASSES)
    validation = metrics.predictions(parts[dataset.VALIDATION].head(1000), probabilities[:1000], CLASSES)
    run.write_table("table.parquet", parts[dataset.TEST])
    run.write_table("predictions.parquet", pd.concat([validation, predictions], ignore_index=True))
    run.save_with("heatmaps.npy", lambda path: np.save(path, rng.random((count, 3, 7, 7), dtype=np.float32)))
    results = RunMetrics(
        test=metrics.evaluate(predictions, CLASSES),
        n_train=0,
        n_validation=1000,
        n_test=count,
        kept_epoch=1,
        seconds={"total": 1.0},
    )
    results.write(run.folder / "metrics.json")
    info = RunInfo(classes=CLASSES, weights_digest="", dataset=DatasetSnapshot(info=dataset.load("phantom").info))
    info.write(run.folder / "about.json")
    run.status.model_copy(update={"state": runs.FINISHED}).write(run.folder / "status.json")
    for number in (1, 2):
        epoch = EpochMetrics(
            epoch=number, loss=1, accuracy=0.5, val_loss=1, val_accuracy=0.5, learning_rate=1e-3, seconds=1
        )
        append_line(run.folder / EVENTS, epoch.model_dump())
    return run


def _seconds(page: Page, act: Callable[[], object], selector: str) -> float:
    start = time.perf_counter()
    act()
    page.wait_for_selector(selector, timeout=60_000)
    return time.perf_counter() - start


def _click_cell(page: Page) -> None:
    """Click the middle cell of the matrix: true and predicted NORMAL."""
    matrix = page.locator(".js-plotly-plot .nsewdrag").first
    box = matrix.bounding_box()
    assert box
    x, y = box["x"] + box["width"] * 2.5 / 4, box["y"] + box["height"] * 2.5 / 4
    page.mouse.move(box["x"] + 3, box["y"] + 3)
    page.mouse.move(x, y, steps=4)
    page.wait_for_timeout(300)
    page.mouse.click(x, y)


def measure(count: int) -> None:
    """Print the figures."""
    run = fake_run(count)
    with running(Path(os.environ["CXR_HOME"])) as (address, server):
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 1600})
            page.goto(address)  # Streamlit's own start is not the page's
            page.wait_for_selector("text=Latest runs", timeout=60_000)
            show = f"{address}/results?run={run.name}"
            print(f"first view: {_seconds(page, lambda: page.goto(show), '.cxr-grid img'):.2f} s")
            page.wait_for_timeout(3000)
            chosen = f"text=/of {count} test images/ >> visible=true"
            page.wait_for_selector(chosen)
            page.evaluate("window.seen = document.querySelector('.cxr-grid').innerHTML")
            start = time.perf_counter()
            _click_cell(page)
            clicked = time.perf_counter()
            page.wait_for_function("document.querySelector('.cxr-grid')?.innerHTML !== window.seen", timeout=60_000)
            print(f"a click on a cell: {time.perf_counter() - clicked:.2f} s (mouse {clicked - start:.1f} s before)")
            assert "predicted=NORMAL" in page.url, page.url
            for tab, heading in TABS.items():
                page.get_by_role("tab", name=tab).click()
                start = time.perf_counter()
                page.get_by_role("heading", name=heading).wait_for(timeout=60_000)
                print(f"tab {tab}, to '{heading}': {time.perf_counter() - start:.1f} s")
            again = _seconds(page, lambda: page.goto(show), ".cxr-grid img")
            print(f"view in another tab of the browser: {again:.2f} s")
            browser.close()
        print(f"memory of the server: {psutil.Process(server).memory_info().rss / 2**20:.0f} MB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ["CXR_HOME"] = home
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
