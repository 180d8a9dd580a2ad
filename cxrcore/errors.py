"""The exceptions whose text is meant for the user, and errors in a log."""

import traceback

from cxrcore.messages import msg


class UserError(Exception):
    """A mistake or a circumstance the user can act on; its `message` says what to do. Exit code 2 on the command line.

    `text` is filled with `values` as by `str.format`; it is a text of the catalogues, see `messages`.
    """

    def __init__(self, text: str, /, **values: object):
        self.message = msg(text, **values)
        super().__init__(str(self.message))


class DamagedFileError(UserError):
    """A file of a run or a dataset that is truncated, damaged or of another program."""


class NewerFileError(UserError):
    """A file that a newer version of the program has written."""


class Stopped(Exception):
    """The user asked a run to stop; raised at the next point where nothing is half done."""


def traceback_text(error: BaseException) -> str:
    """Return the traceback of an error for a log, with the types of the errors without their texts, which may name
    files and so people.
    """
    before = error.__cause__ or error.__context__
    lines = traceback.format_tb(error.__traceback__)
    return (traceback_text(before) if before else "") + "".join(lines) + f"{type(error).__name__}\n"
