"""Messages on pages: data stays text, errors are messages without server paths for an audience."""

import secrets

import pytest
from streamlit.testing.v1 import AppTest

from cxrcore.errors import DamagedFileError
from cxrcore.messages import msg, plain
from cxrcore.ui import feedback

JOINER = "\u2060"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("patient 12, 97.3%", "patient 12, 97.3%"),
        ("22 Nov 04:05 · VGG16", "22 Nov 04:05 · VGG16"),
        ("![x](https://host/t.png)", rf"!\[x\](https:{JOINER}//host/t.png)"),
        ("`code`", r"\`code\`"),
        ("a\udcff\ud800b", "a??b"),  # as the name of a file that is no UTF-8
        ("*a* _b_ ~c~", r"\*a\* \_b\_ \~c\~"),
        ("$x^2$", r"\$x^2\$"),
        (":material/home:", f":{JOINER}material/home:"),
        (":red[text]", rf":{JOINER}red\[text\]"),
        (":smile: :+1: :100:", f":{JOINER}smile: :{JOINER}+1: :{JOINER}100:"),
        ("www.host.org", f"www{JOINER}.host.org"),
        ("WWW.host.org", f"WWW{JOINER}.host.org"),
        ("me@host.org", f"me{JOINER}@host.org"),
        ("<img src=x>", r"\<img src=x\>"),
        ("&copy;", r"\&copy;"),
        ("a\\b", r"a\\b"),
        ("a | b", r"a \| b"),
        ("# heading", r"\# heading"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("12) item", r"12\) item"),
        ("    indented\nsecond line", "indented second line"),
        ("a -> b -- c", rf"a -{JOINER}\> b -{JOINER}- c"),
        ("", ""),
    ],
)
def test_plain_text_escapes_markdown(text, markdown):
    assert feedback.plain_text(text) == markdown


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (msg("{path} is damaged.", path="/srv/a b/runs/config.json"), "config.json is damaged."),
        (msg("{inner}!", inner=msg("{path} is bad", path="/srv/x.png")), "x.png is bad!"),
        (msg("Files: {names}", names=["/srv/a.png", "/srv/b.png"]), "Files: a.png, b.png"),
        (plain("cannot open /srv/data/x.png"), "cannot open x.png"),
        (msg("Use 1/2 of {n}", n=3), "Use 1/2 of 3"),
    ],
)
def test_read_only_messages_have_no_folders(message, shown, monkeypatch):
    assert "/srv" in feedback.error_text(message) or "/srv" not in str(message)
    monkeypatch.setenv("CXR_READ_ONLY", "1")
    assert feedback.error_text(message) == shown


def _page(error):
    def script(error):
        from cxrcore.ui import feedback

        with feedback.friendly():
            raise error

    return AppTest.from_function(script, kwargs={"error": error}).run()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DamagedFileError("{path} is damaged.", path="x"), "x is damaged."),
        (
            FileNotFoundError(2, "No such file or directory", "/srv/x"),
            "/srv/x is missing. `cxr doctor` checks the workspace.",
        ),
        (KeyError("secret"), "Unexpected error 0badcafe. The server's log has the details under this number."),
    ],
)
def test_errors_are_shown_as_a_message(error, text, monkeypatch):
    monkeypatch.setattr(secrets, "token_hex", lambda count: "0badcafe")
    test = _page(error)
    assert [shown.value for shown in test.error] == [text] and not test.exception
