"""The language of what a person sees. The code speaks English; `locale/<code>.po` holds every text in another one.

What the dashboard, a report or a PDF says goes through `t`. What the rest of the package says is English, on disk too:
`said`, `UserError` and `ImageError` mark it for the catalogue, and `translated` finds it there when it is shown.
"""

import gettext
import io
import re
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from functools import cache, lru_cache, wraps
from pathlib import Path
from string import Formatter
from typing import Any, ParamSpec, TypeVar

from babel import dates, numbers
from babel.messages import mofile, pofile

P = ParamSpec("P")
R = TypeVar("R")
LANGUAGES = {"en": "English", "pt": "Português"}
_LOCALES = {"en": "en_US", "pt": "pt_BR"}
_FOLDER = Path(__file__).parent / "locale"
# Values of these names come from data or from a machine: a dataset named `test` is not `teste`.
_AS_THEY_ARE = {
    "name",
    "dataset",
    "value",
    "file",
    "path",
    "origin",
    "folder",
    "filename",
    "title",
    "address",
    "parent",
}
_NUMBER = re.compile(r"-?\d[\d,]*(\.\d+)?(e-?\d+)? ?%?")
_chosen: ContextVar[str] = ContextVar("language", default="en")


def use(code: str) -> None:
    """Speak the language `code`, a key of `LANGUAGES`, from here on in this thread."""
    _chosen.set(code)


def current() -> str:
    """Return the code of the language."""
    return _chosen.get()


def bound(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function`, which will speak the language of now whatever thread calls it."""
    code = current()

    @wraps(function)
    def speaking(*args: P.args, **kwargs: P.kwargs) -> R:
        use(code)
        return function(*args, **kwargs)

    return speaking


def t(text: str, /, **values: Any) -> str:
    """Return `text` in the current language, filled with `values` as by `str.format`, numbers in its form."""
    return _filled(_catalogue(current()).gettext(text), values)


def nt(one: str, many: str, n: int, /, **values: Any) -> str:
    """Return the form of a text that fits `n` things, filled with `n` and `values`."""
    return _filled(_catalogue(current()).ngettext(one, many, n), {"n": n} | values)


def said(text: str, /, **values: Any) -> str:
    """Return the English `text` filled with `values`; marks a text that `translated` will show."""
    return text.format(**values) if values else text


def local(value: float, spec: str) -> str:
    """Return a number as `format` does, with the language's decimal and grouping signs."""
    return _signs(format(value, spec))


def date(seconds: float) -> str:
    """Return a time since 1970 as local day and time, for example `22 Nov 04:05`."""
    return dates.format_datetime(datetime.fromtimestamp(seconds), "d MMM HH:mm", locale=_LOCALES[current()])


def day(seconds: float) -> str:
    """Return a time since 1970 as a local date, for example `Nov 22, 2026`."""
    return dates.format_date(datetime.fromtimestamp(seconds), locale=_LOCALES[current()])


def translated(text: str) -> str:
    """Return what the package said, in the current language: as it is where the catalogue does not know it."""
    return text if current() == "en" or not text else _translated(current(), text)


class _Numbers(Formatter):
    """`str.format` with numbers in the language's form."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text: str = super().format_field(value, format_spec)
        return _signs(text) if isinstance(value, (int, float)) else text


def _filled(text: str, values: dict[str, Any]) -> str:
    return _Numbers().vformat(text, (), values) if values else text


def _signs(text: str) -> str:
    if current() == "en":
        return text
    locale = _LOCALES[current()]
    return text.translate({ord("."): numbers.get_decimal_symbol(locale), ord(","): numbers.get_group_symbol(locale)})


@cache
def _texts(code: str) -> Any:
    """Return the catalogue of a language as Babel reads it."""
    with (_FOLDER / f"{_LOCALES[code]}.po").open("rb") as file:
        return pofile.read_po(file, locale=_LOCALES[code])


@cache
def _catalogue(code: str) -> gettext.NullTranslations:
    if code == "en":
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    mofile.write_mo(compiled, _texts(code))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def _patterns(code: str) -> list[tuple[re.Pattern[str], str]]:
    """Return a pattern for each text with values and its translation; those that say most by themselves come first."""
    found = []
    for message in _texts(code):
        if not isinstance(message.id, str) or "{" not in message.id:
            continue
        parts = list(Formatter().parse(message.id))
        literal = sum(len(part[0].strip(" .,:;()%")) for part in parts)
        if literal < 4:
            continue  # it would match anything
        body = "".join(re.escape(before) + ("" if name is None else _group(name, k)) for k, (before, name, *_) in
                       enumerate(parts))  # fmt: skip
        found.append((literal, re.compile(body, re.DOTALL), str(message.string)))
    return [(pattern, text) for _, pattern, text in sorted(found, key=lambda item: -item[0])]


def _group(name: str, number: int) -> str:
    return f"(?P<f{number}_{name}>.*?)"


@lru_cache(maxsize=4096)
def _translated(code: str, text: str) -> str:
    known = _catalogue(code).gettext(text)
    if known != text:
        return known
    for pattern, translation in _patterns(code):
        if match := pattern.fullmatch(text):
            named = ((name.split("_", 1)[1], value) for name, value in match.groupdict().items())
            values = {name: value if name in _AS_THEY_ARE else _value(value) for name, value in named}
            parts = Formatter().parse(translation)
            return "".join(before + ("" if name is None else values[name]) for before, name, *_ in parts)
    kind, colon, detail = text.partition(": ")
    return f"{translated(kind)}: {translated(detail)}" if colon else text


def _value(text: str) -> str:
    """Return what stood in a text's place: a number in the language's form, a list or a text in its words."""
    if _NUMBER.fullmatch(text):
        return _signs(text)
    found = translated(text)
    return ", ".join(map(translated, text.split(", "))) if found == text and ", " in text else found
