"""Which role the claims of a token give."""

import time

import pytest

from cxrcore import settings
from cxrcore.access import Role
from cxrcore.errors import UserError
from cxrcore.ui.visitor.roles import role


@pytest.fixture(autouse=True)
def lists(monkeypatch):
    monkeypatch.setenv("CXR_EDITORS", "ana@clinic.example, @lab.example")
    monkeypatch.setenv("CXR_VIEWERS", "@other.example")


def _claims(**changes):
    known = {"email": "ana@clinic.example", "email_verified": True, "aud": "studio", "iat": time.time() - 60}
    return known | changes


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("ana@clinic.example", Role.EDITOR),
        ("ANA@Clinic.Example", Role.EDITOR),
        ("bob@lab.example", Role.EDITOR),
        ("bob@other.example", Role.VIEWER),
    ],
)
def test_addresses_and_domains_give_the_role(email, expected):
    assert role(_claims(email=email), "studio") is expected


@pytest.mark.parametrize(
    "email",
    [
        "bob@clinic.example",
        "bob@sub.lab.example",
        "bob@evil-lab.example",
        "bob@lab.example.evil.example",
        "@lab.example",
        "lab.example",
        "ana@clinic.example@evil.example",
        "ana@clinic.example\n",
        "*",
        "",
        "ana@\u212alinic.example",  # the sign for kelvin, k in lower case
    ],
)
def test_other_addresses_have_no_access(email):
    with pytest.raises(UserError, match="has no access"):
        role(_claims(email=email), "studio")


def test_letter_that_becomes_that_of_a_listed_address_in_lower_case(monkeypatch):
    monkeypatch.setenv("CXR_EDITORS", "kim@lab.example")
    assert "\u212aim@lab.example".lower() == "kim@lab.example"
    with pytest.raises(UserError, match="has no access"):
        role(_claims(email="\u212aim@lab.example"), "studio")


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_address_must_be_verified(verified):
    with pytest.raises(UserError, match="not verified"):
        role(_claims(email_verified=verified), "studio")


def test_address_must_be_there():
    claims = _claims()
    del claims["email"]
    with pytest.raises(UserError, match="not verified"):
        role(claims, "studio")


def test_sign_in_expires(monkeypatch):
    monkeypatch.setenv("CXR_SIGN_IN_HOURS", "2")
    assert role(_claims(iat=time.time() - 7190), "studio") is Role.EDITOR
    for issued in (time.time() - 7200, time.time() + 400, None, "now"):
        with pytest.raises(UserError, match="expired"):
            role(_claims(iat=issued), "studio")


@pytest.mark.parametrize("audience", ["another", None, [], ["another"], "studio2"])
def test_token_for_another_client_is_refused(audience):
    with pytest.raises(UserError, match="another program"):
        role(_claims(aud=audience), "studio")


def test_one_of_several_audiences():
    assert role(_claims(aud=["another", "studio"]), "studio") is Role.EDITOR


def test_star_is_everybody(monkeypatch):
    monkeypatch.setenv("CXR_VIEWERS", "*")
    assert role(_claims(email="who@ever.example"), "studio") is Role.VIEWER


def test_empty_lists_are_nobody(monkeypatch):
    monkeypatch.delenv("CXR_EDITORS")
    monkeypatch.setenv("CXR_VIEWERS", " , ")
    assert settings.viewers() == []
    with pytest.raises(UserError, match="has no access"):
        role(_claims(), "studio")
