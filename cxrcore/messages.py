"""Messages that the package produces and a page may show later, in the reader's language.

A message is kept as an id and values, on disk too. The id is the English text, which is also its key in the catalogues
of other languages, as gettext's msgid is. `i18n.translate` shows a message; `str(message)` is its English text.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

_NAME = re.compile(r"[^\W\d]\w{0,39}")
_FORMAT = re.compile(r"[,+]?(\.\d)?[a-z%]?")


class Message(BaseModel):
    """`id` holds named fields as `str.format` has them, filled with `values`; without values it is taken as it is.

    A value that is a message is translated too; text is data and stays as it is; a list is joined by commas. A message
    of an older version is a plain text: it is read as an id without values.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    values: "dict[str, Message | str | int | float | bool | list[Message | str | int | float | bool] | None]" = {}

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_fields(self) -> "Message":
        """Refuse, as a file may hold it, what `str.format` would look up in a value or make a text of any length of."""
        if self.values:
            if not _has_plain_fields(self.id):
                raise ValueError("a text with a field that no message has")
            try:
                fill(self.id, self.values, str)
            except (LookupError, TypeError) as error:
                raise ValueError("a text without a fitting value of a field") from error
        return self

    def __str__(self) -> str:
        return fill(self.id, self.values, str)


@lru_cache(maxsize=2_000)
def _has_plain_fields(text: str) -> bool:
    fields = [(name, form or "") for _, name, form, _ in Formatter().parse(text) if name is not None]
    return all(_NAME.fullmatch(name) and _FORMAT.fullmatch(form) for name, form in fields)


def msg(text: str, /, **values: object) -> Message:
    """Return the message `text` with `values`; the catalogues are made from the texts given here."""
    return Message(id=text, values={name: _plain(value) for name, value in values.items()})


def plain(text: str) -> Message:
    """Return a message that is a text from data or another program, shown as it is."""
    return Message(id="{text}", values={"text": text})


def nameless(message: Message) -> str:
    """Return the English text for a log: what is data, as the names of files, is left out."""
    return fill(message.id, {name: _nameless(value) for name, value in message.values.items()}, nameless)


def _nameless(value: Any) -> Any:
    if isinstance(value, list):
        return [_nameless(item) for item in value]
    return "..." if isinstance(value, str) else value


def some(values: Sequence["Message | str"], most: int = 10) -> list["Message | str"]:
    """Return the first `most` of `values`, for a message that lists them, and how many more there are."""
    left_out = len(values) - most
    return [*values[:most], msg("{n} more", n=left_out)] if left_out > 0 else list(values)


def fill(text: str, values: Mapping[str, Any], show: Any, formatter: Formatter | None = None) -> str:
    """Return `text` filled with `values`; `show` gives the text of a message among them."""
    if not values:
        return text
    shown = {name: _shown(value, show) for name, value in values.items()}
    return (formatter or Formatter()).vformat(text, (), shown)


def _shown(value: Any, show: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(str(_shown(item, show)) for item in value)
    return show(value) if isinstance(value, Message) else value


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: messages, text, numbers and lists of them."""
    if hasattr(value, "item"):  # a NumPy scalar, of which float64 is a float, too
        return value.item()
    if value is None or isinstance(value, Message | str | bool | int | float):
        return value
    if isinstance(value, BaseException) and isinstance(found := getattr(value, "message", None), Message):
        return found
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value.as_posix() if isinstance(value, Path) and "\\" not in str(value) else str(value)
