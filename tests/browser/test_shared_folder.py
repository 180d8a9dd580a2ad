"""A shared folder behind nginx in a real Chromium: every page, its policy, its limits, and a connection that drops."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from urllib.parse import urlparse

import pytest
from playwright.sync_api import expect

from cxrcore import runs
from cxrcore.sharing import folder as sharing
from tests.conftest import ROOT

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not NGINX and not os.environ.get("CI"), reason="no nginx (Debian: apt install nginx-light)"),
]
MAIN = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    include /etc/nginx/mime.types; access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(address):
    for _ in range(300):
        try:
            return urllib.request.urlopen(address, timeout=2).read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


class Dropping:
    """A TCP relay between nginx and the dashboard whose connections can be cut."""

    def __init__(self, target):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port, self._target, self._pairs = self._listening.getsockname()[1], target, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    def _copy(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for side in (source, sink):
            side.close()

    def drop(self):
        """Cut every connection; return how many there were."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for side in pair:
                try:
                    side.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        return len(pairs)

    def close(self):
        self._listening.close()
        self.drop()


@pytest.fixture(scope="module")
def site(tmp_path_factory, _trained):
    """The address of nginx before a shared folder with one run, and the relay between the two."""
    folder = tmp_path_factory.mktemp("site")
    os.chmod(folder, 0o755)  # noqa: PTH101
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_HOME", str(_trained[0]))
        sharing.write([runs.load(_trained[1])], folder / "shared", ROOT / "streamlit_app.py")
    port, outer = free_port(), free_port()
    relay = Dropping(port)
    text = (folder / "shared" / "nginx.conf").read_text()
    text = text.replace("listen 80;", f"listen 127.0.0.1:{outer};").replace("dashboard:7860", f"127.0.0.1:{relay.port}")
    (folder / "site.conf").write_text(text)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CXR_")}
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.headless", "true"]
    dashboard = subprocess.Popen(
        [*command, "--server.port", str(port)], cwd=folder / "shared", env=kept | {"PYTHONPATH": str(ROOT)}
    )
    nginx = subprocess.Popen([NGINX, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health")
        wait_for(f"http://127.0.0.1:{outer}/api/health")
        yield f"http://127.0.0.1:{outer}", relay
    finally:
        for process in (nginx, dashboard):
            process.terminate()
        for process in (nginx, dashboard):
            process.wait(20)
        relay.close()


def test_every_page_works_within_the_policy_and_asks_no_other_host(site, page, _trained, shot):
    address, _ = site
    hosts, problems = set(), []
    page.on("request", lambda request: hosts.add(urlparse(request.url).hostname) if "//" in request.url[:8] else None)
    page.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', e => console.error("
        "'Content Security Policy', e.blockedURI, e.violatedDirective, e.sourceFile))"
    )
    for path, text in (
        ("", "Runs"), (f"results?run={_trained[1]}", "predicted"), (f"explain?run={_trained[1]}", "Grad-CAM"),
        ("compare", "Compare"),
    ):  # fmt: skip
        page.goto(f"{address}/{path}")
        expect(page.get_by_text(re.compile(text)).first).to_be_visible(timeout=90_000)
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=90_000)
        assert page.get_by_text("Unexpected error").count() == 0
        shot(page, f"shared-{path.split('?')[0] or 'home'}")
    page.goto(f"{address}/results?run={_trained[1]}")
    for tab in page.get_by_role("tab").all():
        tab.click()
        page.wait_for_timeout(700)
    page.goto(f"{address}/explain?run={_trained[1]}")
    overlay = page.get_by_role("img", name=re.compile("of .* for"))
    expect(overlay).to_be_visible(timeout=90_000)
    assert overlay.evaluate("image => image.naturalWidth") > 0
    assert hosts <= {"127.0.0.1", None} and not problems, (hosts, problems)


def test_dropped_connection_is_resumed_and_the_page_works(site, page, _trained):
    address, relay = site
    page.goto(f"{address}/results?run={_trained[1]}")
    expect(page.get_by_text(re.compile("predicted")).first).to_be_visible(timeout=90_000)
    sockets = []
    page.on("websocket", lambda found: sockets.append(found.url))
    before = page.url
    assert relay.drop() >= 1
    deadline = time.monotonic() + 30
    while not sockets and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    assert sockets and page.url == before
    page.get_by_role("link", name="Compare").click()
    page.wait_for_url(re.compile("/compare"))
    expect(page.get_by_role("heading", name="Compare")).to_be_visible()


def test_large_body_is_refused_and_headers_are_set(site):
    address, _ = site
    request = urllib.request.Request(f"{address}/_stcore/upload_file/a/b", b"x" * 1000, method="PUT")
    request.add_header("Content-Length", str(60 * 2**20))
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 413
    with urllib.request.urlopen(address, timeout=20) as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Server"] == "nginx"
