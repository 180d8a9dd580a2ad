"""Pages as scripts, without a browser."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cxrcore import runs
from cxrcore.jobs import processes

APP = str(Path(__file__).parents[2] / "streamlit_app.py")


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
            processes.kill(run.status)
