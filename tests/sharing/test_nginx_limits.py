"""The limits of `nginx.conf` of a shared folder: what visitors do passes, more than that gets status 429."""

import os
import re
import select
import shutil
import socket
import subprocess
import time
from collections import Counter
from contextlib import ExitStack
from importlib.resources import files

import pytest

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(
    not NGINX and not os.environ.get("CI"), reason="no nginx (Debian: apt install nginx-light)"
)
# What stands for the dashboard answers at once, and keeps the connections of pages open without a word.
MAIN = """
daemon off; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 100000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{dashboard};
        location / {{ return 200 ok; }}
        location /_stcore/stream {{ proxy_pass http://127.0.0.1:{silent}; }}
    }}
    include {folder}/site.conf;
}}
"""


@pytest.fixture
def site(tmp_path):
    """The address of nginx, started anew, as it counts the requests."""
    os.chmod(tmp_path, 0o755)  # noqa: PTH101
    with socket.create_server(("127.0.0.1", 0), backlog=256) as silent:
        port, dashboard = _free_ports(2)
        text = (files("cxrcore.sharing") / "templates" / "nginx.conf.j2").read_text()
        text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
        (tmp_path / "site.conf").write_text(text.replace("dashboard:7860", f"127.0.0.1:{dashboard}"))
        ports = {"dashboard": dashboard, "silent": silent.getsockname()[1]}
        (tmp_path / "nginx.conf").write_text(MAIN.format(folder=tmp_path, **ports))
        process = subprocess.Popen([NGINX, "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "error.log")])
        try:
            yield _once_up(("127.0.0.1", port))
        finally:
            process.terminate()
            process.wait(20)


def _free_ports(count):
    with ExitStack() as stack:
        found = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in found]


def _once_up(address):
    for _ in range(100):
        try:
            socket.create_connection(address).close()
            return address
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{address} does not answer")


def _request(path, last, method="GET"):
    end = "close" if last else "keep-alive"
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: {end}\r\n\r\n".encode()


def _answers(site, path, count, method="GET"):
    """Ask for a path so many times at once; return how often each status was answered."""
    with socket.create_connection(site) as connection, connection.makefile("rb") as answers:
        connection.sendall(b"".join(_request(path, number == count - 1, method) for number in range(count)))
        found = re.findall(rb"HTTP/1\.1 (\d+) ", answers.read())
    assert len(found) == count
    return Counter(int(status) for status in found)


def _refused_pages(site, count):
    """Open so many pages; return how many were refused."""
    with ExitStack() as stack:
        pages = [stack.enter_context(socket.create_connection(site)) for _ in range(count)]
        for page in pages:
            page.sendall(_request("/_stcore/stream", last=True))
        for _ in range(2):  # nginx takes requests in turn: what it has not refused now, it has passed on
            assert _answers(site, "/api/health", 1) == {200: 1}
        answered, _, _ = select.select(pages, [], [], 0)
        assert all(page.recv(100).startswith(b"HTTP/1.1 429 ") for page in answered)
        return len(answered)


def test_first_pages_of_a_class_pass(site):
    """30 visitors behind one address load 60 files each, all at once, and open their pages."""
    assert _answers(site, "/static/js/a.js", 30 * 60) == {200: 1800}
    assert _refused_pages(site, 30) == 0


def test_flood_is_refused_while_health_is_answered(site):
    began = time.monotonic()
    answers = _answers(site, "/static/js/a.js", 6000)
    assert 2001 <= answers[200] <= 2002 + 100 * (time.monotonic() - began)
    assert answers[429] > 0 and answers[200] + answers[429] == 6000
    assert _answers(site, "/api/health", 5) == {200: 5}
    assert _answers(site, "/api/health", 100)[429] > 0


def test_uploads_are_limited(site):
    answers = _answers(site, "/_stcore/upload_file/a/b", 200, "PUT")
    assert answers[200] >= 51 and answers[429] > 0 and answers[200] + answers[429] == 200


def test_open_pages_of_an_address_are_limited(site):
    assert _refused_pages(site, 70) == 10
