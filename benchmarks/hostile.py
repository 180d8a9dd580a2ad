"""`python -m benchmarks.hostile`: the memory that a server takes for a PNG of 300 kB with 40 million pixels.

The picture has 6300 x 6300 pixels of four channels of 16 bits, 318 MB, all of one value. One visitor of a read-only
server uploads it on Explain, Upload; then two do so at once, in Chromium. Prints, for each, the seconds until the
heatmaps are there, and the resident memory (MB) of the server and of its workers before, at the peak and afterwards.
"""

import argparse
import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import psutil
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.load import prepare
from benchmarks.server import running
from cxrcore import runs

SIDE = 6300  # pixels
_NAME = "large.png"
_SAMPLING = 0.05  # seconds
_SETTLING = 10  # seconds before the memory afterwards is read
_WAITING = 240_000  # milliseconds


def picture() -> bytes:
    """Return the bytes of the PNG."""
    _, content = cv2.imencode(".png", np.full((SIDE, SIDE, 4), 20_000, np.uint16))
    return content.tobytes()


def memory(server: psutil.Process) -> dict[str, int]:
    """Return the resident memory of the server, of its children, and of both, in MB."""
    own, workers = server.memory_info().rss, 0
    for child in server.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            workers += child.memory_info().rss
    return {"server": own // 10**6, "workers": workers // 10**6, "both": (own + workers) // 10**6}


@contextmanager
def peak(server: psutil.Process) -> Iterator[dict[str, int]]:
    """Yield a dictionary that has, when the block has ended, the greatest of each value of `memory`."""
    found = memory(server)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_SAMPLING):
            for name, value in memory(server).items():
                found[name] = max(found[name], value)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def upload(browser: Browser, address: str, visitors: int, content: bytes) -> float:
    """Let visitors upload a picture at once; return the seconds until all see its heatmap."""
    pages: list[Page] = []
    for _ in range(visitors):
        page = browser.new_context().new_page()
        page.goto(f"{address}/explain?show=Upload")
        expect(page.locator("input[type=file]")).to_be_attached(timeout=_WAITING)
        pages.append(page)
    start = time.perf_counter()
    for page in pages:
        page.locator("input[type=file]").set_input_files(
            {"name": _NAME, "mimeType": "image/png", "buffer": content}, timeout=_WAITING
        )
    for page in pages:
        expect(page.get_by_role("img", name=re.compile(f"of {re.escape(_NAME)}")).first).to_be_visible(timeout=_WAITING)
    seconds = time.perf_counter() - start
    for page in pages:
        page.context.close()
    return seconds


def main() -> None:
    """Measure and print one line for one visitor and one for two."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile")
    parser.add_argument("--port", type=int, default=0, help="of the server, 0 for a free one")
    port = parser.parse_args().port
    content = picture()
    print(f"{_NAME}: {len(content) // 1000} kB")
    with tempfile.TemporaryDirectory() as home:
        os.environ["CXR_HOME"] = home
        prepare(1, 1, 20)
        runs.listing()[0].show(True)
        with running(Path(home), port=port, CXR_READ_ONLY="1") as (address, pid), sync_playwright() as playwright:
            server = psutil.Process(pid)
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            small = cv2.imencode(".png", np.full((64, 64), 90, np.uint8))[1].tobytes()
            upload(browser, address, 1, small)  # the model is loaded
            for visitors in (1, 2):
                before = memory(server)
                with peak(server) as highest:
                    seconds = upload(browser, address, visitors, content)
                time.sleep(_SETTLING)
                found = {"before": before, "peak": highest, "after": memory(server)}
                print(json.dumps({"visitors": visitors, "seconds": round(seconds, 1)} | found), flush=True)


if __name__ == "__main__":
    main()
