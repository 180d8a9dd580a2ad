"""Sign-in with a real server, a real Chromium and an OpenID Connect provider on this machine."""

import re

import pytest
from joserfc.jwk import RSAKey
from playwright.sync_api import expect

from benchmarks.server import running
from tests.oidc_provider import provider

pytestmark = pytest.mark.browser
nightly = pytest.mark.nightly

EDITOR = {"email": "Ana@clinic.example", "email_verified": True}
VIEWER = {"email": "visitor@other.example", "email_verified": True}


@pytest.fixture(scope="module")
def oidc():
    with provider() as made:
        yield made


@pytest.fixture(scope="module")
def signed(tmp_path_factory, oidc, _trained):
    """The address of a server with sign-in, whose workspace holds one run that is not marked as shown."""
    folder = tmp_path_factory.mktemp("signed")
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "secrets.toml").write_text(oidc.secrets())
    names = {"CXR_EDITORS": "ana@clinic.example", "CXR_VIEWERS": "@other.example"}
    with running(_trained[0], folder, **names) as (address, _):
        yield address


def _sign_in(page, address, path=""):
    page.goto(address + path)
    with page.expect_navigation():  # to the provider and back
        page.get_by_role("button", name="Sign in").click()


def test_visitor_who_has_not_signed_in_sees_only_the_button(page, signed, shot):
    for path in ("", "/train", "/results"):
        page.goto(signed + path)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        expect(page.get_by_text("Sign in to go on.")).to_be_visible()
        expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
        expect(page.get_by_text("phantom")).to_have_count(0)
    shot(page, "signed-out")


def test_editor_has_everything_and_signs_out(page, signed, oidc, shot):
    oidc.person = EDITOR
    _sign_in(page, signed)
    expect(page.get_by_text(re.compile(r"Ana\W?@clinic.example, editor"))).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav").get_by_text("Train", exact=True)).to_be_visible()
    shot(page, "editor")
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies["_streamlit_user"]["httpOnly"] and cookies["_streamlit_user"]["sameSite"] == "Lax"
    assert cookies["_streamlit_xsrf"]["sameSite"] == "Strict"
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert "/logout" in oidc.fetched and "_streamlit_user" not in {each["name"] for each in page.context.cookies()}


def test_viewer_sees_nothing_that_is_not_shown(page, signed, oidc, shot):
    oidc.person = VIEWER
    _sign_in(page, signed)
    expect(page.get_by_text(re.compile(r"visitor\W?@other.example, viewer"))).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav").get_by_text("Results", exact=True)).to_be_visible()
    for name in ("Data", "Train"):
        expect(page.get_by_test_id("stSidebarNav").get_by_text(name, exact=True)).to_have_count(0)
    shot(page, "viewer")
    page.goto(f"{signed}/results")
    expect(page.get_by_text("No run is shown here yet")).to_be_visible()


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another client"},
        pytest.param({"iss": "http://localhost:1"}, marks=nightly),
        pytest.param({"nonce": "of another sign-in"}, marks=nightly),
        pytest.param({"exp": 1_000_000_000}, marks=nightly),
    ],
    ids=lambda claims: next(iter(claims)),
)
def test_wrong_token_signs_nobody_in(page, signed, oidc, claims):
    oidc.person = EDITOR | claims
    _sign_in(page, signed)
    expect(page.get_by_text("Sign in to go on.")).to_be_visible()
    assert "_streamlit_user" not in {cookie["name"] for cookie in page.context.cookies()}


def test_token_signed_by_another_key_signs_nobody_in(page, signed, oidc):
    oidc.person, own = EDITOR, oidc.key
    oidc.key = RSAKey.generate_key(2048, {"kid": "first"})
    try:
        _sign_in(page, signed)
        expect(page.get_by_text("Sign in to go on.")).to_be_visible()
    finally:
        oidc.key = own


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        pytest.param(
            EDITOR | {"email_verified": False}, "The provider has not verified your e-mail address.", marks=nightly
        ),
        (EDITOR | {"email": "eve@elsewhere.example"}, r"eve\W?@elsewhere.example has no access"),
        pytest.param(EDITOR | {"iat": 1_000_000_000}, "Your sign-in has expired.", marks=nightly),
        pytest.param(
            EDITOR | {"aud": "another client", "azp": "studio"},
            "This sign-in was made for another program.",
            marks=nightly,
        ),
    ],
)
def test_person_without_access_is_told_why(page, signed, oidc, claims, text):
    oidc.person = claims
    _sign_in(page, signed)
    expect(page.get_by_text(re.compile(text))).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("Sign in to go on.")).to_be_visible()
