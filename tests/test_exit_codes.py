"""Benchmarks whose exit code says whether what they measured is as it should be; here with made-up figures."""

from types import SimpleNamespace

import pandas as pd
import pytest

from benchmarks import cluster, large
from cxrcore.data.phantom import dataset as phantoms


@pytest.mark.parametrize(
    ("seconds", "peak", "view", "code"),
    [
        ([11, 20, 110], 2048, {"peak_mb": 2048}, 0),  # 10 s and 1 s for each ten images
        ([11, 60, 110], 2048, {"peak_mb": 2048}, 1),
        ([11, 20, 110], 2049, {"peak_mb": 2048}, 1),
        ([11, 20, 110], 2048, {"peak_mb": 2049}, 1),
        ([11, 20, 110], 2048, {"peak_mb": 2048, "errors": ["x"]}, 1),
        ([11, 20, None], 2048, {"peak_mb": 2048}, 1),
    ],
)
def test_large(seconds, peak, view, code, monkeypatch, tmp_path):
    times = iter(seconds)
    monkeypatch.setattr(large, "draw", lambda *_: None)
    monkeypatch.setattr(large, "_opened", lambda home: [view])

    def done(*_):
        found = next(times)
        return {"seconds": found, "processor": found, "peak_mb": peak} if found else {}

    monkeypatch.setattr(large, "done", done)
    assert large.main(["--counts", "10", "100", "1000", "--steps", "import", "pages", "--home", str(tmp_path)]) == code


@pytest.mark.parametrize(
    ("equal", "twice", "ratio", "code"), [(True, 0, 1.6, 0), (False, 0, 1.6, 1), (True, 1, 1.6, 1), (True, 0, 1.59, 1)]
)
def test_cluster(equal, twice, ratio, code, monkeypatch):
    for name in ("CXR_HOME", "CXR_OPENVINO", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, "")  # which is set by the benchmark, and so put back
    monkeypatch.setattr("sys.argv", ["cluster", "6"])
    monkeypatch.setattr(phantoms, "create", lambda *_, **__: SimpleNamespace(usable=pd.DataFrame({"path": ["a"] * 6})))
    monkeypatch.setattr(cluster, "_equal", lambda *_: {"workers": {"equal": equal, "computed twice": twice}})
    monkeypatch.setattr(cluster, "_rates", lambda *_: {"two against one": ratio})
    assert cluster.main() == code
