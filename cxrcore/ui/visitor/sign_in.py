"""Sign-in with an OpenID Connect provider, where `[auth]` in Streamlit's `secrets.toml` names one.

Importing this module makes the functions of the package ask for the visitor's role. It is asked for at each call and
not kept, so that it holds in callbacks, which run before the page, and in fragments, which run without it. A thread
that works for no visitor has the role of nobody.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cxrcore import access, settings
from cxrcore.access import Role
from cxrcore.errors import UserError
from cxrcore.i18n import t
from cxrcore.messages import Message
from cxrcore.ui import feedback
from cxrcore.ui.visitor import roles

_SECRET = 32  # characters: who guesses it can write the cookie that names the visitor


@cache
def client_id() -> str | None:
    """Return the name under which the provider knows this dashboard, None where there is no sign-in.

    It is read once: a change needs a restart of the server.

    Raises:
        UserError: sign-in is wanted and cannot work; nobody gets in then.
    """
    if not st.secrets.load_if_toml_exists():
        if any(Path(file).exists() for file in st.get_option("secrets.files")):
            raise UserError("Sign-in: secrets.toml cannot be read.")
    elif "auth" in st.secrets:
        if find_spec("authlib") is None:
            raise UserError("Sign-in needs Authlib. Install it: pip install 'cxrcore[auth]'")
        section = st.secrets["auth"]
        if len(str(section.get("cookie_secret", ""))) < _SECRET:
            raise UserError("Sign-in: cookie_secret in secrets.toml must have at least {n} characters.", n=_SECRET)
        found = section.get("client_id")
        if not isinstance(found, str) or not found:
            raise UserError("Sign-in: client_id is missing in the section [auth] of secrets.toml.")
        return found
    if settings.read("CXR_EDITORS") or settings.read("CXR_VIEWERS"):
        raise UserError("CXR_EDITORS or CXR_VIEWERS is set, but secrets.toml has no section [auth] for the sign-in.")
    return None


def role() -> Role:
    """Return the role of the visitor for whom this thread runs a page; editor where there is no sign-in."""
    try:
        return _role()
    except UserError:
        return Role.NOBODY


def _role() -> Role:
    client = client_id()
    if client is None:
        return Role.EDITOR
    if get_script_run_ctx(suppress_warning=True) is None:
        return Role.NOBODY
    claims = st.user.to_dict()
    if claims.get("is_logged_in") is not True:
        raise UserError("Sign in to go on.")
    return roles.role(claims, client)


access.decide_by(role)


def show_account() -> None:
    """Show in the sidebar who is signed in, and the button to sign out; nothing where there is no sign-in."""
    if access.current() is Role.NOBODY or client_id() is None:
        return
    email, editor = str(st.user.to_dict().get("email")), access.current() is Role.EDITOR
    with st.sidebar:
        st.caption(
            t("{email}, editor", email=feedback.plain_text(email))
            if editor
            else t("{email}, viewer", email=feedback.plain_text(email))
        )
        if st.button(t("Sign out"), icon=":material/logout:"):
            _sign_out()


def page() -> None:
    """Show a visitor without a role how to sign in, and why they have none."""
    st.title(t("Chest X-ray studio"))
    reason = _reason()
    signed_in = st.user.to_dict().get("is_logged_in") is True
    if signed_in:
        st.warning(feedback.error_text(reason), icon=":material/block:")
    else:
        st.write(feedback.error_text(reason))
    try:
        client_id()
    except UserError:
        return
    if st.button(t("Sign in"), type="primary", icon=":material/login:"):
        st.login()
    if signed_in and st.button(t("Sign out"), icon=":material/logout:"):
        _sign_out()


def _sign_out() -> None:
    """Send the browser to where its cookies are removed. The page, which would run again without a visitor, must not
    follow: what was not sent yet is dropped then.
    """
    st.logout()
    st.stop()


def _reason() -> Message:
    try:
        _role()
    except UserError as error:
        return error.message
    raise AssertionError("this visitor has a role")
