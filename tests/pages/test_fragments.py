"""Fragments of visitors whose sign-in expires while a page is open."""

import pytest
import streamlit as st

from cxrcore import access, i18n
from cxrcore.access import Role
from cxrcore.ui import fragments


class _Again(Exception):
    pass


@pytest.fixture(autouse=True)
def streamlit(monkeypatch):
    """A fragment is the function itself; drawing the page again is an exception."""

    def again(scope):
        assert scope == "app"
        raise _Again

    monkeypatch.setattr(st, "fragment", lambda function, run_every: function)
    monkeypatch.setattr(st, "rerun", again)


def test_fragment_is_drawn_in_the_language_in_which_it_was_made():
    i18n.use("pt")
    seen = []
    made = fragments.fragment(lambda number: seen.append((number, i18n.current())))
    i18n.use("en")
    made(3)
    assert seen == [(3, "pt")]


def test_page_is_drawn_again_where_the_sign_in_has_expired():
    seen = []
    made = fragments.fragment(lambda: seen.append(1))
    with pytest.raises(_Again):
        access.run_as(Role.NOBODY, made)()
    assert seen == []
    access.run_as(Role.VIEWER, made)()
    assert seen == [1]
