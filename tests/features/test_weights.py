"""Which file holds a backbone's weights, and what is loaded from it."""

import hashlib
import http.server
import threading
import time

import pytest

from cxrcore.errors import UserError
from cxrcore.features import weights
from cxrcore.features.backbones import BACKBONES

XCEPTION, TINY = BACKBONES["xception"], BACKBONES["cxrtiny"]


@pytest.fixture(autouse=True)
def no_keras_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


@pytest.fixture
def server(monkeypatch):
    """A local server in place of Keras's: the responses, path to (status, content)."""
    responses = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, content = responses.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    found = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=found.serve_forever, daemon=True).start()
    monkeypatch.setattr(weights, "KERAS_WEIGHTS_URL", f"http://127.0.0.1:{found.server_port}/")
    yield responses
    found.shutdown()


def test_folder_of_the_user_comes_first(tmp_path, monkeypatch):
    (tmp_path / "keras" / "models").mkdir(parents=True)
    (tmp_path / "keras" / "models" / XCEPTION.download[0].rsplit("/", 1)[1]).write_bytes(b"keras")
    found = weights.resolve(XCEPTION, "imagenet")
    assert found.digest == hashlib.sha256(b"keras").hexdigest()
    (tmp_path / "xception_notop.weights.h5").write_bytes(b"mine")
    monkeypatch.setenv("CXR_WEIGHTS_DIR", str(tmp_path))
    assert weights.resolve(XCEPTION, "imagenet").digest == hashlib.sha256(b"mine").hexdigest()


def test_changed_file_has_another_digest(tmp_path):
    file = tmp_path / "a.weights.h5"
    file.write_bytes(b"one")
    first = weights.resolve(TINY, "file", file).digest
    file.write_bytes(b"other")
    assert weights.resolve(TINY, "file", file).digest != first


def test_no_network_is_a_user_error_within_seconds(monkeypatch):
    monkeypatch.setattr(weights, "KERAS_WEIGHTS_URL", "http://127.0.0.1:9/")
    start = time.monotonic()
    with pytest.raises(UserError, match=r"put xception_notop.weights.h5 into .* CXR_WEIGHTS_DIR, or choose CXRTiny"):
        weights.resolve(XCEPTION, "imagenet")
    assert time.monotonic() - start < 15


def test_download_is_checked_kept_and_reported(server, monkeypatch):
    content = b"w" * 200_000
    address = XCEPTION.download[0]
    server["/" + address] = (200, content)
    fake = XCEPTION.__class__(**{**XCEPTION.__dict__, "download": (address, hashlib.md5(content).hexdigest())})
    seen = []
    found = weights.resolve(fake, "imagenet", progress=lambda done, total: seen.append((done, total)))
    assert found.path.read_bytes() == content
    assert seen[-1] == (200_000, 200_000)
    del server["/" + address]
    assert weights.resolve(fake, "imagenet") == found  # from the cache, without the server


@pytest.mark.parametrize("response", [(404, b""), (200, b"something else")])
def test_refused_or_wrong_download_is_not_kept(server, response):
    server["/" + XCEPTION.download[0]] = response
    with pytest.raises(UserError, match="could not be downloaded"):
        weights.resolve(XCEPTION, "imagenet")
    assert weights.on_disk(XCEPTION) is None


def test_kind_that_a_backbone_does_not_have():
    with pytest.raises(UserError, match=r"expected one of bundled, file, random. Received: 'imagenet'"):
        weights.resolve(TINY, "imagenet")


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        weights.resolve(TINY, "file", tmp_path / "no.weights.h5")


@pytest.mark.parametrize("content", [b"not weights", None])
def test_file_of_something_else_is_refused(tmp_path, content):
    file = tmp_path / "x.weights.h5"
    if content is None:
        BACKBONES["mobilenetv2"].build(64).save_weights(file)
    else:
        file.write_bytes(content)
    with pytest.raises(UserError, match="does not hold weights of cxrtiny"):
        weights.resolve(TINY, "file", file).load_into(TINY.build(64))


def test_saved_weights_load_into_another_model(tmp_path):
    """Keras's own loading, with a file saved from random weights."""
    file, backbone = tmp_path / "mobilenetv2_notop.weights.h5", BACKBONES["mobilenetv2"]
    saved, fresh = backbone.build(64), backbone.build(64)
    saved.save_weights(file)
    assert (saved.get_weights()[0] != fresh.get_weights()[0]).any()
    weights.resolve(backbone, "file", file).load_into(fresh)
    assert all((a == b).all() for a, b in zip(saved.get_weights(), fresh.get_weights(), strict=True))
