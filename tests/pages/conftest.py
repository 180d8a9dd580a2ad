"""Pages as scripts, without a browser."""

import gc
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks import faults
from cxrcore import runs
from cxrcore.audits import mitigations, shortcut
from cxrcore.explain import faithfulness
from cxrcore.jobs import processes, run_process, worker_pool
from cxrcore.progress import ignore
from cxrcore.runs import Run

faults.scan_packages_once()
APP = str(Path(__file__).parents[2] / "streamlit_app.py")


class PoolInProcess:
    """Calls functions as a `WorkerPool` does, in this process and at once."""

    is_warm = True
    waiting = 0

    def call(self, function, *args, progress=ignore, waiting=None):
        return function(*args, progress=progress)

    def prepare(self, function, *args):
        pass


@pytest.fixture(scope="module", autouse=True)
def frozen():
    """What `left_out` leaves out is looked at again after each file."""
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def left_out(frozen):
    """Leave out what is there before a test: Streamlit collects garbage after each page run, twice where Keras is
    imported, and TensorFlow's objects take half a second.
    """
    gc.freeze()


@pytest.fixture(autouse=True)
def pool(monkeypatch):
    """No page starts a worker: it would import TensorFlow again for every file of tests."""
    monkeypatch.setattr(worker_pool, "pool", PoolInProcess)


@pytest.fixture
def open_page():
    """Open a page by its name, with a language and query parameters; it must show no unexpected error."""

    def go(page, lang="", **query):
        test = AppTest.from_file(APP, default_timeout=60)
        for name, value in (query | ({"lang": lang} if lang else {})).items():
            test.query_params[name] = value
        test.switch_page(f"pages/{page}.py").run()
        assert not test.exception, test.exception
        assert test.sidebar.caption[0].value  # the notice
        assert not [error.value for error in test.error if "Unexpected error" in error.value]
        return test

    yield go
    for run in runs.listing():
        if run.status.state in runs.LIVE:
            processes.kill(run.status, run_process.work(run))


@pytest.fixture(scope="session")
def _audited(tmp_path_factory, _trained):
    """The workspace of `trained` with every audit of the run, made once."""
    folder, name = _trained
    copy = tmp_path_factory.mktemp("audited") / "workspace"
    shutil.copytree(folder, copy)
    run = Run(copy / "runs" / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_HOME", str(copy))
        faithfulness.measure(run, ["grad-cam", "eigen-cam"])
        shortcut.audit(run)
        mitigations.compare(run)
    return copy, name


@pytest.fixture
def audited(home, _audited):
    """A finished run with its audits in the test's workspace."""
    folder, name = _audited
    shutil.copytree(folder, home)
    return runs.load(name)
