"""Predictions for other programs: who gets them, within which limits, and what is answered."""

import base64
import hmac
import io
import json
import logging
from concurrent.futures import ThreadPoolExecutor

import anyio
import numpy as np
import pytest
from joserfc.jwk import RSAKey
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from cxrcore import access
from cxrcore.access import Role
from cxrcore.explain import loaded_runs
from cxrcore.jobs import worker_pool
from cxrcore.progress import ignore
from cxrcore.ui.visitor import predict_route, sign_in, tokens
from tests.jobs import pool_functions
from tests.oidc_provider import CLIENT, provider

PERSON = {"email": "ana@lab.example", "email_verified": True}


class PoolInProcess:
    def call(self, function, *args, progress=ignore):
        return function(*args, progress=progress)


@pytest.fixture(scope="module")
def _oidc():
    with provider() as made:
        yield made


@pytest.fixture
def oidc(_oidc, monkeypatch):
    """A provider, and the dashboard that knows it."""
    _oidc.person, _oidc.key = PERSON, _oidc.published
    found = tokens.Provider(f"{_oidc.issuer}/.well-known/openid-configuration", CLIENT)
    monkeypatch.setattr(tokens, "provider", lambda client_id: found)
    monkeypatch.setattr(sign_in, "client_id", lambda: CLIENT)
    monkeypatch.setattr(worker_pool, "pool", PoolInProcess)
    monkeypatch.setattr(predict_route, "_limits", predict_route.Limits())
    monkeypatch.setenv("CXR_EDITORS", "@lab.example")
    monkeypatch.setenv("CXR_VIEWERS", "*")
    return _oidc


@pytest.fixture
def client():
    with TestClient(Starlette(routes=[predict_route.ROUTE])) as made:
        yield made


def _png(seed=0):
    picture = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (80, 80), np.uint8)).save(picture, "PNG")
    return picture.getvalue()


def _post(client, token, run="none", content=b""):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.post(f"/api/runs/{run}/predict", content=content, headers=headers)


def test_editor_gets_probabilities_and_the_warning(client, oidc, trained, home):
    before = set(home.rglob("*"))
    answer = _post(client, oidc.token(), trained.name, _png())
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    found = answer.json()
    assert list(found["probabilities"]) == trained.classes
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert found["probabilities"][found["predicted"]] == max(found["probabilities"].values())
    assert found["warning"] == "For research and teaching, not for clinical use."
    assert found["out_of_distribution"] == (found["out_of_distribution_score"] > 1)
    assert set(home.rglob("*")) == before


def _text(content):
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _forged(oidc, algorithm):
    """The header and claims of a valid token, with another algorithm, without a signature."""
    claims = oidc.token().split(".")[1]
    return f"{_text(json.dumps({'alg': algorithm, 'kid': 'first'}).encode())}.{claims}"


def _signed_by_the_public_key(oidc):
    """A signature with the public key as a shared secret, which a careless program accepts."""
    text = _forged(oidc, "HS256")
    return f"{text}.{_text(hmac.digest(oidc.published.as_pem(private=False), text.encode(), 'sha256'))}"


def _by_another_key(oidc):
    oidc.key = RSAKey.generate_key(2048, {"kid": "first"})
    return oidc.token()


def _with_header(oidc, **values):
    """A header with members of a wrong type, which tells before anything is verified."""
    header = _text(json.dumps({"alg": "RS256", "kid": "first"} | values).encode())
    return ".".join([header, *oidc.token().split(".")[1:]])


WRONG = {
    "none": lambda oidc: "",
    "not a token": lambda oidc: "abc",
    "three parts": lambda oidc: "a.b.c",
    "audience": lambda oidc: oidc.token(aud="another"),
    "issuer": lambda oidc: oidc.token(iss="http://localhost:1"),
    "expired": lambda oidc: oidc.token(exp=1_000_000_000),
    "old": lambda oidc: oidc.token(iat=1_000_000_000),
    "unverified": lambda oidc: oidc.token(email_verified=False),
    "viewer": lambda oidc: oidc.token(email="guest@other.example"),
    "no expiry": lambda oidc: oidc.token(exp=None),
    "unsigned": lambda oidc: _forged(oidc, "none") + ".",
    "critical number": lambda oidc: _with_header(oidc, crit=5),
    "critical object": lambda oidc: _with_header(oidc, crit=[{}]),
    "key as a list": lambda oidc: _with_header(oidc, kid=["first"]),
    "algorithm as an object": lambda oidc: _with_header(oidc, alg={}),
    "public key": _signed_by_the_public_key,
    "another key": _by_another_key,
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_token_is_refused(name, client, oidc, trained):
    answer = _post(client, WRONG[name](oidc), trained.name, _png())
    assert answer.status_code == 401 and set(answer.json()) == {"error"}
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_new_key_of_the_provider_is_fetched_once_a_minute(client, oidc, monkeypatch):
    assert _post(client, oidc.token()).status_code == 404  # no such run
    fetched = oidc.fetched.count("/jwks")
    monkeypatch.setattr(oidc, "published", RSAKey.generate_key(2048, {"kid": "second", "use": "sig"}))
    oidc.key = oidc.published
    assert _post(client, oidc.token()).status_code == 401 and oidc.fetched.count("/jwks") == fetched
    monkeypatch.setattr(tokens, "_PAUSE", 0)
    assert _post(client, oidc.token()).status_code == 404 and oidc.fetched.count("/jwks") == fetched + 1


def test_provider_that_does_not_answer(client, oidc, monkeypatch):
    found = tokens.Provider("http://localhost:1/none", CLIENT)
    monkeypatch.setattr(tokens, "provider", lambda client_id: found)
    for _ in range(2):  # it is not asked again at once
        answer = _post(client, oidc.token())
        assert (answer.status_code, answer.json()) == (401, {"error": "The sign-in provider does not answer."})


def test_without_sign_in_there_are_no_predictions(client, oidc, monkeypatch):
    monkeypatch.setattr(sign_in, "client_id", lambda: None)
    assert _post(client, oidc.token()).status_code == 404


@pytest.mark.parametrize("run", ["latest", "2", "..", "%2e%2e%2f", "none", "a" * 5000])
def test_run_is_named_in_full(run, client, oidc, trained):
    assert _post(client, oidc.token(), run, _png()).status_code == 404


@pytest.mark.parametrize("content", [b"", b"hello", _png()[:60], b"\x89PNG\r\n\x1a\n" + b"x" * 100])
def test_what_is_not_an_image_is_refused_without_paths(content, client, oidc, trained, home):
    answer = _post(client, oidc.token(), trained.name, content)
    assert answer.status_code == 415 and str(home) not in answer.text and "/" not in answer.json()["error"]


def test_unexpected_error_is_logged_and_not_told(client, oidc, trained, monkeypatch, caplog):
    def fail(*args, **kwargs):
        raise OSError(2, "secret", "/home/somebody/x")

    monkeypatch.setattr(PoolInProcess, "call", fail)
    with caplog.at_level(logging.ERROR):
        answer = _post(client, oidc.token(), trained.name, _png())
    assert answer.status_code == 500 and "somebody" not in answer.text and "somebody" in caplog.text


def test_unexpected_error_before_the_prediction_is_logged_too(client, oidc, monkeypatch, caplog):
    def fail(client_id):
        raise OSError(2, "secret", "/home/somebody/x")

    monkeypatch.setattr(tokens, "provider", fail)
    with caplog.at_level(logging.ERROR):
        answer = _post(client, oidc.token())
    assert answer.status_code == 500 and "somebody" not in answer.text and "somebody" in caplog.text


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("full", "0 computations are waiting already. Try again in a minute."),
        ("killed", "The process that computes ended unexpectedly"),
        ("closed", "The server is being stopped."),
    ],
)
def test_workers_that_cannot_answer_now_are_no_unexpected_error(
    state, text, client, oidc, trained, monkeypatch, caplog
):
    made = worker_pool.WorkerPool(1, 10**9)
    monkeypatch.setattr(worker_pool, "pool", lambda: made)
    monkeypatch.setattr(loaded_runs, "predict", pool_functions.kill_itself)
    if state == "full":
        monkeypatch.setattr(worker_pool, "MOST_WAITING", 0)
    if state == "closed":
        made.close()
    answer = _post(client, oidc.token(), trained.name, _png())
    made.close()
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "60" and not caplog.records
    assert answer.json()["error"].startswith(text)


def test_too_long_an_image_is_not_read(client, oidc, trained, monkeypatch):
    monkeypatch.setattr(predict_route, "MOST_BYTES", 100)
    assert _post(client, oidc.token(), trained.name, b"x" * 101).status_code == 413
    parts = (b"x" * 60 for _ in range(3))  # without a length
    assert _post(client, oidc.token(), trained.name, parts).status_code == 413


@pytest.mark.parametrize("length, parts", [("101", 0), ("", 2), ("-1", 2), ("5", 2)])
def test_of_too_long_an_image_no_more_is_read_than_tells_it(length, parts, oidc, trained, monkeypatch):
    """Ten parts of 60 bytes arrive, of which 100 may; a length that is missing or wrong is not believed."""
    monkeypatch.setattr(predict_route, "MOST_BYTES", 100)
    read, sent = [], []

    async def receive():
        read.append(60)
        return {"type": "http.request", "body": b"x" * 60, "more_body": len(read) < 10}

    async def send(message):
        sent.append(message)

    headers = {"authorization": f"Bearer {oidc.token()}"} | ({"content-length": length} if length else {})
    scope = {
        "type": "http", "method": "POST", "path": f"/api/runs/{trained.name}/predict", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    with ThreadPoolExecutor(1) as thread:  # Playwright keeps an event loop in this one
        thread.submit(anyio.run, Starlette(routes=[predict_route.ROUTE]), scope, receive, send).result()
    assert sent[0]["status"] == 413 and len(read) == parts


def test_prediction_is_made_with_the_rights_of_a_viewer(client, oidc, trained, monkeypatch):
    roles = []

    def call(self, function, *args):
        roles.append(access.current())
        return function(*args, progress=ignore)

    monkeypatch.setattr(PoolInProcess, "call", call)
    assert _post(client, oidc.token(), trained.name, _png()).status_code == 200
    assert roles == [Role.VIEWER]


def test_requests_of_a_minute_are_limited_for_each_user(client, oidc, monkeypatch):
    monkeypatch.setattr(predict_route, "PER_MINUTE", 2)
    first, second = oidc.token(), oidc.token(email="bob@lab.example")
    assert [_post(client, first).status_code for _ in range(3)] == [404, 404, 429]
    answer = _post(client, first)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert _post(client, second).status_code == 404


def test_requests_at_once_are_limited():
    limits = predict_route.Limits()
    assert [limits.enter(user) for user in ("a", "a", "b", "c", "d", "e")] == [0, 5, 0, 0, 0, 5]
    limits.leave("a")
    assert limits.enter("e") == 0


def test_place_is_free_again_after_an_error(client, oidc, trained):
    assert [_post(client, oidc.token(), trained.name, b"x").status_code for _ in range(3)] == [415] * 3
