"""Downloads of public datasets, from a local server that drops connections or sends wrong files."""

import hashlib
import random
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cxrcore.data import download
from cxrcore.errors import UserError
from tests.data.zip_files import zipped

RANDOM = random.Random(0).randbytes(200_000)  # does not get smaller in a ZIP
CONTENT = zipped({"chest_xray/train/NORMAL/a.png": RANDOM})


class _Server(ThreadingHTTPServer):
    behaviour, requests = "good", None


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.headers.get("Range"))
        body, start = CONTENT, 0
        if self.server.behaviour == "refuses":
            return self.send_error(403)
        if self.server.behaviour == "wrong":
            body = b"<html>not the file</html>"
        if asked := self.headers.get("Range"):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if self.server.behaviour == "no ranges":
            start = 0
        if start >= len(body):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        self.wfile.write(
            rest[: len(rest) // 2] if self.server.behaviour == "drops" and len(self.server.requests) < 3 else rest
        )

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    found = _Server(("127.0.0.1", 0), _Handler)
    found.requests = []
    threading.Thread(target=found.serve_forever, daemon=True).start()
    monkeypatch.setenv("CXR_MIRROR", f"http://127.0.0.1:{found.server_port}")
    known = download.PUBLIC["kermany"]
    changed = replace(known, sha256=hashlib.sha256(CONTENT).hexdigest(), megabytes=1)
    monkeypatch.setitem(download.PUBLIC, "kermany", changed)
    yield found
    found.shutdown()


def _names(home):
    return sorted(path.name for path in (home / "downloads").glob("*") if not path.name.endswith(".lock"))


def test_dataset_is_downloaded_once_with_progress(server, home):
    seen = []
    path = download.fetch("kermany", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT and seen[-1] == (len(CONTENT), len(CONTENT))
    assert download.fetch("kermany") == path and len(server.requests) == 1
    assert download.on_disk(download.PUBLIC["kermany"]) == path


def test_dropped_connection_is_resumed(server):
    server.behaviour = "drops"
    assert download.fetch("kermany").read_bytes() == CONTENT
    first, *later = server.requests
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in later]
    assert first is None and 0 < starts[0] < starts[1] < len(CONTENT)


def test_interrupted_download_is_resumed_later(server, home):
    part = home / "downloads" / "ChestXRay2017.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:1000])
    assert download.fetch("kermany").read_bytes() == CONTENT and server.requests == ["bytes=1000-"]


def test_complete_part_file_is_accepted(server, home):
    part = home / "downloads" / "ChestXRay2017.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT)
    assert download.fetch("kermany").read_bytes() == CONTENT


def test_server_without_ranges_restarts_the_download(server, home):
    server.behaviour = "no ranges"
    part = home / "downloads" / "ChestXRay2017.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"the first bytes of something else")
    assert download.fetch("kermany").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("key", "behaviour", "message"),
    [
        ("kermany", "wrong", "not the published one"),
        ("covid-chestxray", "wrong", "is not a ZIP"),
        ("kermany", "refuses", r"could not be downloaded \(HTTPError\).*Without a network"),
    ],
)
def test_wrong_download_is_not_kept(server, home, key, behaviour, message):
    server.behaviour = behaviour
    with pytest.raises(UserError, match=message):
        download.fetch(key)
    assert _names(home) == []


def test_no_network_gives_instructions(home, monkeypatch):
    monkeypatch.setenv("CXR_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"could not be downloaded .* put it into .* or set CXR_MIRROR"):
        download.fetch("kermany")


def test_full_disk_is_reported_before_writing(server, home, monkeypatch):
    monkeypatch.setattr(download, "SPARE", 10**18)
    with pytest.raises(UserError, match=r"needs \d+ MB of disk"):
        download.fetch("kermany")
    assert _names(home) == []


def test_concurrent_download_is_refused(server):
    def second(done, total):
        with pytest.raises(UserError, match="being downloaded already"):
            download.fetch("kermany")

    download.fetch("kermany", second)


def test_unknown_public_dataset_is_refused():
    with pytest.raises(UserError, match=r"expected one of covid-chestxray, kermany\. Received: 'nih'"):
        download.fetch("nih")
