"""The two exceptions that carry a message meant for the user."""

from typing import Any


class UserError(Exception):
    """A mistake or a circumstance the user can act on; its text, English, says what to do. Exit code 2.

    `text` is filled with `values` as by `str.format`, and stands in the catalogues of other languages.
    """

    def __init__(self, text: str, /, **values: Any):
        super().__init__(text.format(**values) if values else text)


class Stopped(Exception):
    """The user asked a run to stop; raised at the next point where nothing is half done."""
