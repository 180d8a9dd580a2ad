"""Roles in the functions and on the pages: what a viewer, and a visitor who has not signed in, can do."""

import hashlib
import threading
import time
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from cxrcore import access, runs, settings
from cxrcore.access import Role
from cxrcore.audits import learning_curve, mitigations
from cxrcore.config import run_config
from cxrcore.data import staging
from cxrcore.errors import UserError
from cxrcore.explain import faithfulness
from cxrcore.jobs import control, queue, tasks
from cxrcore.sweeps import plan, sweep
from cxrcore.ui.visitor import sign_in
from tests.pages import test_read_only

EDITOR = {"is_logged_in": True, "email": "ana@lab.example", "email_verified": True, "aud": "studio"}
VIEWER = EDITOR | {"email": "guest@other.example"}


def _everything(folder):
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def sign_in_configured(monkeypatch):
    monkeypatch.setattr(sign_in, "client_id", lambda: "studio")
    monkeypatch.setenv("CXR_EDITORS", "@lab.example")
    monkeypatch.setenv("CXR_VIEWERS", "@other.example")


def _stage(run):
    with staging.resumable("other", ["plan"]):
        pass


def _sweep(run):
    base = run_config.make(dataset="phantom", size=64, head="gap").plain()
    sweep.create("new", plan.make({"base": base, "settings": {"learning_rate": {"low": 1e-3, "high": 1e-2}}}))


CALLS = test_read_only.CALLS | {
    "pause": control.pause,
    "resume": control.resume,
    "learning rate": lambda run: control.set_learning_rate(run, 0.01),
    "continue": control.continue_run,
    "prepare to continue": control.prepare_to_continue,
    "move up": control.move_up,
    "delete a run": control.delete,
    "discard": runs.discard,
    "restore a run": lambda run: runs.restore(run.name),
    "start a task": lambda run: tasks.start(run, "shortcut"),
    "stop a task": lambda run: tasks.stop(run, "shortcut"),
    "mitigations": mitigations.compare,
    "learning curve": learning_curve.compute,
    "faithfulness": faithfulness.measure,
    "describe": lambda run: run.describe(title="a title"),
    "sweep": _sweep,
    "stage": _stage,
}


@pytest.mark.parametrize("role", [Role.VIEWER, Role.NOBODY])
@pytest.mark.parametrize("name", CALLS)
def test_calls_are_refused_and_leave_no_trace(name, role, trained, home):
    before = _everything(home)
    with pytest.raises(UserError, match="Only editors"):
        access.run_as(role, CALLS[name])(trained)
    assert _everything(home) == before


def test_queue_does_not_move_for_a_viewer(trained):
    run = runs.create(run_config.make(dataset="phantom"), queued=True)
    access.run_as(Role.VIEWER, queue.dispatch)()
    assert run.status.state == runs.QUEUED


def test_editor_may_write(trained):
    access.run_as(Role.EDITOR, settings.require_writable)()


def test_thread_that_works_for_no_visitor_may_change_nothing(sign_in_configured):
    found = []
    thread = threading.Thread(target=lambda: found.append((access.current(), settings.read_only())))
    thread.start()
    thread.join()
    assert found == [(Role.NOBODY, True)]


def test_without_sign_in_everybody_is_an_editor(monkeypatch):
    sign_in.client_id.cache_clear()
    assert access.current() is Role.EDITOR and not settings.read_only()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[auth", "cannot be read"),
        ("[auth]\n", "cookie_secret"),
        ('[auth]\ncookie_secret = "short"\nclient_id = "studio"', "at least 32"),
        (f'[auth]\ncookie_secret = "{"c" * 32}"', "client_id"),
        ("[other]\n", "CXR_EDITORS"),
    ],
)
def test_broken_configuration_lets_nobody_in(text, message, tmp_path, monkeypatch):
    file = tmp_path / "secrets.toml"
    file.write_text(text)
    secrets = type(st.secrets)()
    monkeypatch.setattr(st, "secrets", secrets)
    before = st.get_option("secrets.files")
    st.config.set_option("secrets.files", [str(file)])
    monkeypatch.setenv("CXR_EDITORS", "@lab.example")
    sign_in.client_id.cache_clear()
    try:
        with pytest.raises(UserError, match=message):
            sign_in.client_id()
        assert access.current() is Role.NOBODY
    finally:
        st.config.set_option("secrets.files", before)
        sign_in.client_id.cache_clear()


PAGES = ("home", "data", "train", "results", "explain", "compare")


def _open(page, user):
    test = AppTest.from_file(str(Path(__file__).parents[2] / "streamlit_app.py"), default_timeout=60)
    test.user = user
    test.switch_page(f"pages/{page}.py").run()
    assert not test.exception
    return test


@pytest.mark.parametrize("page", PAGES)
def test_nobody_sees_only_the_button_on_every_page(page, trained, sign_in_configured):
    test = _open(page, {"is_logged_in": False})
    assert [button.label for button in test.button] == ["Sign in"]
    assert [title.value for title in test.title] == ["Chest X-ray studio"] and not test.selectbox


def test_viewer_sees_shown_runs_alone(trained, sign_in_configured):
    user = VIEWER | {"iat": time.time()}
    assert "No run is shown here yet" in _open("results", user).info[0].value
    access.run_as(Role.EDITOR, trained.show)(True)
    test = _open("results", user)
    assert len(next(box for box in test.selectbox if box.label == "Run").options) == 1
    assert not test.text_area


def _script():
    import streamlit as st

    from cxrcore import access

    seen = st.session_state.setdefault("seen", [])
    seen.append(access.current())
    st.button("Press", on_click=lambda: st.session_state["seen"].append(access.current()))


@pytest.mark.parametrize(("user", "role"), [(EDITOR, Role.EDITOR), (VIEWER, Role.VIEWER), ({}, Role.NOBODY)])
def test_callback_has_the_role_of_its_visitor(user, role, sign_in_configured):
    """A callback runs before the page does."""
    test = AppTest.from_function(_script)
    test.user = user | {"iat": time.time()}
    test.run().button[0].click().run()
    assert test.session_state["seen"] == [role] * 3


def test_sign_in_that_expires_during_a_visit(trained, sign_in_configured, monkeypatch):
    test = _open("home", EDITOR | {"iat": time.time()})
    assert any("editor" in caption.value for caption in test.sidebar.caption)
    test.user = EDITOR | {"iat": time.time() - 13 * 3600}
    test.run()
    assert "expired" in test.warning[0].value
    assert [button.label for button in test.button] == ["Sign in", "Sign out"]
