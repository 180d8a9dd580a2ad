"""The language of what a user reads. The code is in English; `locale/<code>.po` holds every text in another language.

`t` and `nt` give a text in the current language, with numbers in its form; `N_` marks a text that is translated when it
is shown (gettext's `gettext_noop`); `translate` shows a message of the package, or a code such as a run's state.
"""

import gettext
import io
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from functools import cache, wraps
from pathlib import Path
from string import Formatter
from typing import Any, ParamSpec, TypeVar

from babel import dates, numbers
from babel.messages import mofile, pofile

from cxrcore.messages import Message, fill

P = ParamSpec("P")
R = TypeVar("R")
LANGUAGES = {"en": "English", "pt": "Português"}
_LOCALES = {"en": "en_US", "pt": "pt_BR"}
_FOLDER = Path(__file__).parent / "locale"
_language: ContextVar[str] = ContextVar("language", default="en")


def use(code: str) -> None:
    """Set the language, a key of `LANGUAGES`, from here on in this thread."""
    _language.set(code)


def current() -> str:
    """Return the code of the language."""
    return _language.get()


def bind(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` bound to the current language, whatever thread calls it."""
    code = current()

    @wraps(function)
    def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        use(code)
        return function(*args, **kwargs)

    return bound


def t(text: str, /, **values: Any) -> str:
    """Return `text` in the current language, filled with `values` as by `str.format`, numbers in its form."""
    return _filled(_catalogue(current()).gettext(text) if text else text, values)


def nt(one: str, many: str, n: int, /, **values: Any) -> str:
    """Return the form of a text that fits `n` things, filled with `n` and `values`."""
    return _filled(_catalogue(current()).ngettext(one, many, n), {"n": n} | values)


def N_(text: str) -> str:
    """Return `text`; marks it for the catalogues, for `t` or `translate` to find when it is shown."""
    return text


def translate(message: Message | str) -> str:
    """Return a message, or a text marked by `N_`, in the current language; one that no catalogue knows, in English."""
    return t(message) if isinstance(message, str) else _filled(t(message.id), message.values)


def format_number(value: float, spec: str) -> str:
    """Return a number as `format` does, with the language's decimal and grouping signs."""
    return _signs(format(value, spec))


def format_time(seconds: float) -> str:
    """Return a time since 1970 as local day and time, for example `22 Nov 04:05`."""
    return dates.format_datetime(datetime.fromtimestamp(seconds), "d MMM HH:mm", locale=_LOCALES[current()])


def format_date(seconds: float) -> str:
    """Return a time since 1970 as a local date, for example `Nov 22, 2026`."""
    return dates.format_date(datetime.fromtimestamp(seconds), locale=_LOCALES[current()])


class _Numbers(Formatter):
    """`str.format` with numbers in the language's form."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text: str = super().format_field(value, format_spec)
        return _signs(text) if isinstance(value, (int, float)) else text


def _filled(text: str, values: dict[str, Any]) -> str:
    return fill(text, values, translate, _Numbers())


def _signs(text: str) -> str:
    if current() == "en":
        return text
    locale = _LOCALES[current()]
    return text.translate({ord("."): numbers.get_decimal_symbol(locale), ord(","): numbers.get_group_symbol(locale)})


@cache
def _catalogue(code: str) -> gettext.NullTranslations:
    if code == "en":
        return gettext.NullTranslations()
    with (_FOLDER / f"{_LOCALES[code]}.po").open("rb") as file:
        texts = pofile.read_po(file, locale=_LOCALES[code])
    compiled = io.BytesIO()
    mofile.write_mo(compiled, texts)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
