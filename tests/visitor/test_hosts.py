"""Hosts, origins and the XSRF token, asked of the real server."""

import http.client
import re
from urllib.parse import urlsplit

import pytest

from benchmarks.server import running
from cxrcore.ui.visitor.hosts import is_allowed_host


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("hosts"), CXR_ALLOWED_HOSTS="xray.example.org, *.clinic.example") as (url, _):
        yield urlsplit(url).netloc


def _ask(server, path="/", method="GET", **headers):
    connection = http.client.HTTPConnection(server, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    for name, value in ({"Host": server} | headers).items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders())
    connection.close()
    return found


SOCKET = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Version": "13",
    "Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec_WebSocket_Protocol": "streamlit",
}
UPLOAD = "/_stcore/upload_file/session/file"


@pytest.mark.parametrize("path", ["/", "/_stcore/health", "/_stcore/host-config", "/api/version", "/favicon.png"])
def test_foreign_host_is_refused_everywhere(server, path):
    assert _ask(server, path, Host="evil.example")[0] == 400
    assert _ask(server, path)[0] == 200


def test_foreign_host_gets_no_socket(server):
    assert _ask(server, "/_stcore/stream", **SOCKET, Host="evil.example", Origin="http://evil.example")[0] >= 400
    own = f"http://{server}"
    assert _ask(server, "/_stcore/stream", **SOCKET, Origin=own)[0] == 101


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1", "http://["]
)
def test_foreign_origin_gets_no_socket(server, origin):
    assert _ask(server, "/_stcore/stream", **SOCKET, Origin=origin)[0] == 403


def test_upload_needs_the_token(server):
    _, headers = _ask(server, "/_stcore/health")
    cookie = headers["set-cookie"]
    assert re.search("samesite=strict", cookie, re.IGNORECASE)
    token = re.search(r"_streamlit_xsrf=([^;]+)", cookie).group(1)
    sent = {"Content_Length": "0", "Content_Type": "multipart/form-data; boundary=x"}
    assert _ask(server, UPLOAD, "PUT", **sent)[0] == 403
    assert _ask(server, UPLOAD, "PUT", **sent, Cookie=f"_streamlit_xsrf={token}")[0] == 403
    assert _ask(server, UPLOAD, "PUT", **sent, X_Xsrftoken=token)[0] == 403
    both = {"Cookie": f"_streamlit_xsrf={token}", "X_Xsrftoken": token}
    assert _ask(server, UPLOAD, "PUT", **sent, **both)[0] == 400  # there is no such session
    assert _ask(server, UPLOAD, "PUT", **sent, **both, Origin="https://evil.example")[0] == 403
    assert _ask(server, UPLOAD, "DELETE")[0] == 403


def test_no_answer_may_be_read_by_another_site(server):
    for path in ("/", "/_stcore/health", "/api/version", UPLOAD):
        _, headers = _ask(server, path, "OPTIONS" if path == UPLOAD else "GET", Origin="https://evil.example")
        assert headers.get("access-control-allow-origin") not in ("*", "https://evil.example"), path


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:8501", True),
        ("LOCALHOST.", True),
        ("127.0.0.1", True),
        ("[::1]:8501", True),
        ("192.168.1.7:80", True),
        ("xray.example.org", True),
        ("a.clinic.example:443", True),
        ("clinic.example", False),
        ("evil-clinic.example", False),
        ("xray.example.org.evil.example", False),
        ("localhost.evil.example", False),
        ("evil@localhost", False),
        ("localhost:port", False),
        ("localhost/x", False),
        ("2130706433", False),  # 127.0.0.1 as one number
        ("", False),
    ],
)
def test_names_of_the_server(host, allowed, monkeypatch):
    monkeypatch.setenv("CXR_ALLOWED_HOSTS", "xray.example.org, *.clinic.example")
    assert is_allowed_host(host) is allowed
