"""Parts of a page that are drawn again without the rest of it."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import streamlit as st

from cxrcore import access, i18n
from cxrcore.access import Role
from cxrcore.ui import feedback

P = ParamSpec("P")


def fragment(function: Callable[P, None], run_every: float | None = None) -> Callable[P, None]:
    """Return `function` as a fragment (`st.fragment`) in the visitor's language, drawn again every so many seconds.

    An error in it is shown as a message. Where the visitor's sign-in has expired meanwhile, the page is drawn again
    instead, which asks for it.
    """
    drawn = i18n.bind(feedback.friendly()(function))

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        if access.current() is Role.NOBODY:
            st.rerun(scope="app")
        drawn(*args, **kwargs)

    made: Callable[P, None] = st.fragment(checked, run_every=run_every)
    return made
