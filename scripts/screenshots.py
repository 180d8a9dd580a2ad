"""Take pictures of every page and tab of the dashboard, with phantoms only.

    make screenshots                              # all: 1280 and 420 pixels wide, light and dark, both languages
    make screenshots VIEWS="results-metrics data" # the views whose names begin so
    python scripts/screenshots.py --docs          # those of the README and the guide, into docs/images

The first time, a workspace with phantoms, runs and audits is made in build/screenshots, which takes some minutes;
delete this folder to make it again. Pictures are written to screenshots/.
"""

import argparse
import io
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks is not installed with the package

from benchmarks.server import running  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WORKSPACES = ROOT / "build" / "screenshots"
HOME, EMPTY_HOME = WORKSPACES / "full", WORKSPACES / "empty"
OUT = ROOT / "screenshots"
DOCS = ROOT / "docs" / "images"
WIDTHS, SCHEMES, LANGUAGES = (1280, 420), ("light", "dark"), {"en": "en-US", "pt": "pt-BR"}

# The runs of the workspace by their titles, which are in the addresses below in braces.
RECOMMENDED, EPOCHS, FOLDS, TUTORIAL = "recommended", "gradient descent", "five folds", "tutorial"
MARKED, FINDINGS = "marker", "findings"  # a shortcut planted; a harder question, with errors
# A page or tab by its name: its address, relative to the server. Those of `EMPTY` are of a workspace without data.
VIEWS = {
    "home": "",
    "data-overview": "data?dataset=phantom",
    "data-images": "data?dataset=phantom&view=Images",
    "data-audit": "data?dataset=phantom&view=Audit",
    "data-audit-marker": "data?dataset=marked&view=Audit",
    "data-imported": "data?dataset=hospital",
    "data-add-phantoms": "data?view=Add+a+dataset",
    "data-add-upload": "data?view=Add+a+dataset&from=Upload",
    "data-add-machine": "data?view=Add+a+dataset&from=Files+on+this+machine",
    "data-add-public": "data?view=Add+a+dataset&from=Public+datasets",
    "train": "train?dataset=phantom",
    "train-run": "train?run={recommended}",
    "train-epochs": "train?run={gradient descent}",
    "results-images": "results?run={findings}",
    "results-metrics": "results?run={findings}&tab=Metrics",
    "results-probabilities": "results?run={findings}&tab=Probabilities",
    "results-errors": "results?run={findings}&tab=Errors",
    "results-robustness": "results?run={recommended}&tab=Robustness",
    "results-robustness-marker": "results?run={marker}&tab=Robustness",
    "results-curves": "results?run={recommended}&tab=Training+curves",
    "results-curves-epochs": "results?run={gradient descent}&tab=Training+curves",
    "results-export": "results?run={recommended}&tab=Export",
    "results-folds": "results?run={five folds}",
    "results-folds-metrics": "results?run={five folds}&tab=Metrics",
    "explain": "explain?run={recommended}",
    "explain-marker": "explain?run={marker}",
    "explain-upload": "explain?run={recommended}&show=Upload",
    "explain-comparison": "explain?run={recommended}&show=Comparison",
    "explain-mean": "explain?run={recommended}&show=Mean+heatmap+by+class",
    "explain-faithfulness": "explain?run={recommended}&show=Faithfulness",
    "compare": "compare",
    "compare-sweeps": "compare?show=Sweeps",
    "status": "status",
}
EMPTY = {"empty-home": "", "empty-data": "data", "empty-train": "train", "empty-results": "results"}
# The views that the README and the guide show.
IN_DOCS = (
    "empty-home",
    "data-overview",
    "data-audit-marker",
    "data-add-upload",
    "train",
    "train-run",
    "results-images",
    "results-metrics",
    "results-robustness-marker",
    "explain",
    "explain-faithfulness",
    "compare",
)
# Some begin at a heading further down, by its English text.
BEGIN = {"results-robustness-marker": "Shortcut audit"}
DOCS_HEIGHT, DOCS_COLOURS, DOCS_WIDTH = 1000, 256, 1000  # pixels of the page shown; width of the picture

# Nothing is computed or loading: as Streamlit's own tests see it.
SETTLED = """() => {
    const inView = image => image.getBoundingClientRect().top < window.innerHeight;  // others load later
    const app = document.querySelector("[data-testid=stApp]");
    return app !== null && app.dataset.testScriptState === "notRunning" && document.querySelector("h1") !== null
        && document.querySelector("[data-testid=stSkeleton], [data-testid=stSpinner]") === null
        && [...document.images].every(image => image.complete || !inView(image));
}"""
HEIGHT = """() => {
    const main = document.querySelector("[data-testid=stMain]");
    return Math.ceil(main.scrollHeight + main.getBoundingClientRect().top);
}"""
_TALLEST, _MARGIN = 12_000, 24


def settle(page: "Page", seconds: float = 0.8) -> None:
    """Wait until the page has been at rest for `seconds`, as one part often starts another."""
    deadline, since = time.monotonic() + 120, time.monotonic()
    while time.monotonic() - since < seconds:
        page.wait_for_timeout(100)
        if not page.evaluate(SETTLED):
            since = time.monotonic()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{page.url} does not come to rest")


def prepare() -> None:
    """Make the workspaces of the pictures, unless they are there."""
    complete = WORKSPACES / "complete"
    if complete.is_file():
        return
    shutil.rmtree(WORKSPACES, ignore_errors=True)
    EMPTY_HOME.mkdir(parents=True)
    with _workspace(HOME):
        _fill()
    complete.touch()


def _fill() -> None:
    """Make datasets, runs and audits with the commands that a user has."""
    from cxrcore import runs
    from cxrcore.cli import app

    def cxr(command: str) -> None:
        print("cxr", command, flush=True)
        app(command.split(), standalone_mode=False)

    def train(title: str, options: str) -> None:
        cxr(f"train --backbone cxrtiny {options}")
        runs.load("latest").describe(title=title)

    cxr("data phantom phantom")
    cxr("data phantom marked --patients 30 --seed 2 --planted-class COVID")
    cxr("data phantom findings --classes NORMAL,NODULE,MASS,FIBROSIS --patients 40 --seed 3")
    _draw_folders(WORKSPACES / "hospital")
    cxr(f"data import {WORKSPACES / 'hospital'} --name hospital")
    cxr("data audit phantom")
    cxr("data audit marked")
    train(TUTORIAL, "--data phantom --preset tutorial")
    train(EPOCHS, "--data phantom --head gap")
    train(FOLDS, "--data phantom --folds 5 --head gap --epochs 30")
    train(MARKED, "--data marked")
    cxr("shortcut latest --mitigations")
    cxr("sweep learning-rates --data phantom --backbone cxrtiny --head gap --trials 6 --epochs 20")
    train(FINDINGS, "--data findings --size 64")
    cxr("learning-curve latest")
    train(RECOMMENDED, "--data phantom")
    cxr("shortcut latest --mitigations")
    cxr("faithfulness latest")
    cxr("evaluate latest --data hospital")


def _draw_folders(folder: Path) -> None:
    """Write phantoms as a person keeps files: folders named after classes, with masks of the findings."""
    from cxrcore.data.images import png
    from cxrcore.data.phantom.dataset import DEFAULTS
    from cxrcore.data.phantom.images import generate, specs

    for spec in specs(12, 1, DEFAULTS.classes):
        phantom = generate(spec, seed=11)
        for kind, picture in (("images", phantom.image), ("lesion_masks", phantom.lesions)):
            path = folder / spec.disease / kind / f"{spec.name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(picture))


@contextmanager
def _workspace(home: Path) -> Iterator[None]:
    before = os.environ.get("CXR_HOME")
    os.environ["CXR_HOME"] = str(home)
    try:
        yield
    finally:
        os.environ.pop("CXR_HOME") if before is None else os.environ.update(CXR_HOME=before)


def addresses(home: Path) -> dict[str, str]:
    """Return `VIEWS` with the names of the runs of a workspace."""
    from cxrcore import runs

    with _workspace(home):
        names = {run.card.title: run.name for run in runs.listing()}
    return {view: address.format_map(names) for view, address in VIEWS.items()}


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Start the installed Chromium."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        sys.exit("There is no Chromium on this machine (Debian: apt install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def open_view(page: "Page", server: str, address: str, language: str) -> None:
    """Open a view of the dashboard and wait until it is at rest."""
    page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    page.goto(f"{server}/{address}{'&' if '?' in address else '?'}lang={language}")
    page.wait_for_function(SETTLED)
    settle(page)


def _picture(page: "Page", width: int, scheme: str) -> bytes:
    """Return the whole page as PNG; the page scrolls inside the window, so the window becomes as tall."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 900})
    settle(page)
    for _ in range(2):  # what comes into view may make the page taller
        page.set_viewport_size({"width": width, "height": min(_TALLEST, max(900, page.evaluate(HEIGHT)))})
        settle(page)
    return page.screenshot()


def _for_docs(page: "Page", view: str, language: str) -> bytes:
    """Return a view from its top, or from its heading in `BEGIN`, smaller and with few colours, as PNG."""
    from cxrcore import i18n

    whole, start = Image.open(io.BytesIO(_picture(page, WIDTHS[0], "light"))).convert("RGB"), 0
    if view in BEGIN:
        i18n.use(language)
        box = page.get_by_role("heading", name=i18n.t(BEGIN[view]), exact=True).first.bounding_box()
        start = max(0, int(box["y"]) - _MARGIN) if box else 0
    top = whole.crop((0, start, whole.width, min(whole.height, start + DOCS_HEIGHT)))
    small = top.resize((DOCS_WIDTH, round(top.height * DOCS_WIDTH / top.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.quantize(DOCS_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        buffer, "PNG", optimize=True
    )
    return buffer.getvalue()


def take(server: str, views: dict[str, str], browser: "Browser", docs: bool) -> None:
    """Write the pictures of some views of a server."""
    from playwright.sync_api import TimeoutError as PlaywrightTimeout

    folder = DOCS if docs else OUT
    folder.mkdir(exist_ok=True)
    for language, locale in LANGUAGES.items():
        page = browser.new_page(locale=locale)
        page.set_default_timeout(120_000)
        for view, address in views.items():
            began = time.monotonic()
            try:
                open_view(page, server, address, language)
                if docs:
                    (folder / f"{view}-{language}.png").write_bytes(_for_docs(page, view, language))
                else:
                    for scheme in SCHEMES:
                        for width in WIDTHS:
                            path = folder / f"{view}-{width}-{scheme}-{language}.png"
                            path.write_bytes(_picture(page, width, scheme))
            except (TimeoutError, PlaywrightTimeout) as error:
                print(f"{view}, {language}: {error}", file=sys.stderr)
            print(f"{view}, {language}: {time.monotonic() - began:.0f} s", flush=True)
        page.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the workspace if needed, and take the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("views", nargs="*", help=f"beginnings of names; all: {', '.join((*VIEWS, *EMPTY))}")
    parser.add_argument("--docs", action="store_true", help="only the pictures of README and guide, into docs/images")
    given = parser.parse_args(arguments)
    prepare()

    def wanted(views: dict[str, str]) -> dict[str, str]:
        return {
            name: address
            for name, address in views.items()
            if (not given.views or name.startswith(tuple(given.views))) and (not given.docs or name in IN_DOCS)
        }

    workspaces = {HOME: wanted(addresses(HOME)), EMPTY_HOME: wanted(EMPTY)}
    if not any(workspaces.values()):
        parser.error(f"no view begins with {' or '.join(given.views)}")
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        for home, views in workspaces.items():
            if views:
                with running(home) as (server, _):
                    take(server, views, browser, given.docs)


if __name__ == "__main__":
    main()
