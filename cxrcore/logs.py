"""The log: JSON lines in `logs/cxr.jsonl` of the workspace and on stderr, bounded in size.

    {"time": "2026-01-31T12:00:00.123+00:00", "level": "ERROR", "message": "Unexpected error: KeyError",
     "process": 4711, "run": "", "session": "0f…", "error_id": "9c0ffee1", "traceback": "…"}

A message never holds the text of an unexpected error, as names of files and values of data are in it. Its type and the
lines of the program tell what happened.
"""

import json
import logging
import secrets
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from filelock import FileLock

from cxrcore import settings
from cxrcore.files import parse_json, read_text_lines

LOGGER = logging.getLogger("cxrcore")
FILE, MAX_BYTES, FILES = "cxr.jsonl", 2_000_000, 5
RUN_LOG_BYTES = 1_000_000
_ERROR_ID = "cxrcore_error_id"


def start(run: str = "", session: Callable[[], str] = str) -> None:
    """Write this process's records of `LOGGER`; a workspace that cannot be written is no error, stderr has them too.

    Args:
        run: the run that this process trains.
        session: returns the visitor's session of the current thread, "" for none.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    try:
        folder().mkdir(parents=True, exist_ok=True)
        handlers.append(_SharedFile(folder() / FILE))
    except OSError:
        pass
    for handler in handlers:
        handler.setFormatter(_JsonLine(run, session))
    LOGGER.handlers[:] = handlers
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def folder() -> Path:
    """Return the folder of the logs."""
    return settings.home() / "logs"


def unexpected(error: BaseException) -> str:
    """Write an error that nobody expected with its traceback; return its id, 8 hexadecimal digits.

    An error of a worker process keeps the id under which that process has written it, and its traceback is there.
    """
    known = str(getattr(error, _ERROR_ID, ""))
    number = known or secrets.token_hex(4)
    setattr(error, _ERROR_ID, number)
    LOGGER.error(
        "Unexpected error: %s", type(error).__name__, exc_info=None if known else error, extra={"error_id": number}
    )
    return number


@dataclass(frozen=True)
class LoggedError:
    """An unexpected error in the log: when, its id, and its message, which names its type."""

    time: datetime
    number: str
    message: str


def latest_errors(count: int) -> list[LoggedError]:
    """Return the latest unexpected errors, the newest first, each once; a line that is damaged is left out."""
    found: dict[str, LoggedError] = {}
    for path in (folder() / FILE, folder() / f"{FILE}.1"):
        for line in reversed(read_text_lines(path)):
            if '"error_id"' in line and len(found) < count:
                with suppress(ValueError, TypeError, KeyError):
                    values = parse_json(line)
                    number, message = str(values["error_id"]), str(values["message"])
                    found[number] = LoggedError(datetime.fromisoformat(values["time"]), number, message)
    return list(found.values())


def traceback_text(error: BaseException) -> str:
    """Return the types of an error and of its causes with the lines of the program, the cause first, without texts."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = traceback_text(cause) + "\n" if cause else ""
    strerror = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return before + "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__ + strerror


def bound(path: Path) -> None:
    """Cut a log that a process prints into down to its last half, if it is larger than `RUN_LOG_BYTES`.

    The process must append to it (`O_APPEND`); what it prints at this moment may be lost.
    """
    if not path.is_file() or path.stat().st_size <= RUN_LOG_BYTES:
        return
    with path.open("r+b") as file:
        file.seek(-RUN_LOG_BYTES // 2, 2)
        kept = file.read().partition(b"\n")[2]
        file.seek(0)
        file.write(kept)
        file.truncate()


class _SharedFile(RotatingFileHandler):
    """A file that several processes write to, one at a time; each record opens it, as another may have rotated it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=MAX_BYTES, backupCount=FILES - 1, encoding="utf-8", delay=True)
        self._lock = FileLock(path.with_suffix(".lock"), timeout=5)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            with self._lock:
                super().emit(record)
                if self.stream:
                    self.stream.close()
                    self.stream = None  # the next record opens it again
        except (OSError, TimeoutError):
            self.handleError(record)


class _JsonLine(logging.Formatter):
    """One record as one line of JSON."""

    def __init__(self, run: str, session: Callable[[], str]) -> None:
        super().__init__()
        self._run, self._session = run, session

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        values: dict[str, object] = {"time": time, "level": record.levelname, "message": record.getMessage()}
        values |= {"process": record.process, "run": self._run, "session": self._session()}
        if number := getattr(record, "error_id", ""):
            values["error_id"] = number
        if record.exc_info and record.exc_info[1]:
            values["traceback"] = traceback_text(record.exc_info[1])
        return json.dumps(values, ensure_ascii=False)
