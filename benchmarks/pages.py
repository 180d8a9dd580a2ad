"""`python -m benchmarks.pages [runs] [images]`: seconds to the first view of each page and tab on a warm server.

A real server and a real Chromium. The workspace has 1,000 runs and a dataset of 10,000 images, unless given otherwise:
phantoms, each file linked under many names, and copies of one finished run. Prints one line of JSON for each view: the
seconds until its title and its last part are there and nothing is running, the median of three.
"""

import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.results import fake_run
from benchmarks.server import running
from cxrcore.runs import Run

VIEWS = {
    "Home": "",
    "Data, overview": "data?dataset=large",
    "Data, images": "data?dataset=large&view=Images",
    "Data, audit": "data?dataset=large&view=Audit",
    "Train": "train?dataset=large",
    "Results, images": "results",
    "Results, metrics": "results?tab=Metrics",
    "Results, probabilities": "results?tab=Probabilities",
    "Results, errors": "results?tab=Errors",
    "Results, robustness": "results?tab=Robustness",
    "Explain": "explain",
    "Compare": "compare",
    "Compare, sweeps": "compare?show=Sweeps",
}
TIMES = 3
_SETTLED = """() => document.querySelector('h1') && !document.querySelector('[data-testid="stStatusWidget"]')
    && document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning'"""


def main() -> None:
    """Print the seconds of each view."""
    count, images = (int(value) for value in (*sys.argv[1:], *("1000", "10000")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as home:
        os.environ["CXR_HOME"] = home
        prepare(count, images)
        with running(Path(home)) as (address, _), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 1600})
            for name, path in VIEWS.items():
                found = [seconds(page, f"{address}/{path}") for _ in range(TIMES + 1)][1:]
                print(json.dumps({"view": name, "seconds": round(statistics.median(found), 2)}), flush=True)
            browser.close()


def prepare(count: int, images: int) -> None:
    """Make the dataset and the runs."""
    from cxrcore.data import dataset
    from cxrcore.data.staging import publish, staging
    from cxrcore.evaluation import verdict

    small = fake_run(75)
    run = fake_run(images)  # the newest, which pages open on
    with staging() as folder:
        publish(folder, "large", run.table.drop(columns="split"), dataset.load("phantom").info, replace=False)
    verdict.keep(small)
    for number in range(count - 2):
        copied(small, number)


def copied(run: Run, number: int) -> None:
    """Make a copy of a run, an hour older for each number; the files are links."""
    name = (
        f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(1.7e9 - 3600 * number))}-000-{run.config.backbone}-{number:04x}"
    )
    shutil.copytree(run.folder, run.folder.parent / name, copy_function=os.link)


def seconds(page: Page, address: str) -> float:
    """Return the seconds until a view is there."""
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_function(_SETTLED, timeout=60_000)
    assert not page.locator('[data-testid="stException"]').count(), address
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
