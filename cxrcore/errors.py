"""The exceptions whose text is meant for the user."""

import errno
import os
from pathlib import Path

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


class UnreadableFileError(DamagedFileError):
    """A file or folder that the system does not let this process read: a permission, a disk that fails."""

    def __init__(self, path: Path, error: OSError):
        # PyArrow's own texts hold the path once more.
        reason = error.strerror if error.filename else os.strerror(error.errno or errno.EIO)
        super().__init__("{text}", text=msg("{path} is not readable: {reason}.", path=path, reason=reason))


class NewerFileError(UserError):
    """A file that a newer version of the program has written."""


class UnavailableError(UserError):
    """What was asked for cannot be done now, for a reason that passes: the same may succeed a minute later."""


class Stopped(Exception):
    """The user asked a run to stop; raised at the next point where nothing is half done."""
