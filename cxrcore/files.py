"""Atomic writes: a reader sees the old file or the new one, never half of either."""

import errno
import itertools
import json
import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

import pandas as pd

from cxrcore import settings
from cxrcore.errors import UserError
from cxrcore.messages import msg

_DISK_ERRNOS = {
    errno.ENOSPC: msg("the disk is full"),
    errno.EDQUOT: msg("the disk quota is used up"),
    errno.EFBIG: msg("the file would be larger than this system allows"),
    errno.EROFS: msg("the disk is read-only"),
}


# Zero-width and formatting characters are not among the spaces of \s.
_FORMULA = re.compile(
    r"[\t\n]|[\s\x00-\x1f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[-=+@\uff1d\uff0b\uff0d\uff20]"
)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # as JSON writes one; most text has none, so most is searched only
MAX_DEPTH = 100  # no file is nested so deeply; functions that walk through a value call themselves at each level
MAX_TEXT_BYTES = 2**30  # more than any text file of a workspace has, and less than the memory of a computer
_BINARY = getattr(os, "O_BINARY", 0)  # Windows alters ends of lines without it
_changes = itertools.count(1)
_last_change = 0


def note_change() -> None:
    """Note that this process has changed a file or folder, so that what is kept of them is looked at again."""
    global _last_change
    _last_change = next(_changes)


def changes() -> int:
    """Return a number that differs after each `note_change`; each atomic write notes itself."""
    return _last_change


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Turn a disk error into a `UserError`. NumPy and HDF5 raise errors without a number when a write is cut short."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.errno not in _DISK_ERRNOS:
            raise
        reason = _DISK_ERRNOS.get(error.errno or 0, msg("the disk is full or refused the write"))
        raise UserError(
            "Could not write {target}: {reason}. Free some space and start again; what was finished before is kept.",
            target=target,
            reason=reason,
        ) from error


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` that replaces it when the block ends without error.

    The temporary file keeps the target's suffix, as some writers choose the format by it. It is removed
    when the block fails, so a full disk leaves nothing behind; that failure becomes a `UserError`. What replaces the
    target has been written through to the disk before.
    """
    settings.require_writable()
    temporary = target.with_name(f".{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        with disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            _flush(temporary)
            temporary.replace(target)
            _flush(target.parent)
    finally:
        temporary.unlink(missing_ok=True)
        note_change()


def _flush(path: Path) -> None:
    """Write a file, or a folder's list of names, through to the disk, so that it survives a loss of power."""
    if os.name == "nt" and path.is_dir():  # Windows writes the list of names through by itself
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(target: Path, text: str) -> None:
    """Replace `target` by `text` (UTF-8)."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as CSV in which no text is a formula: one that a spreadsheet program may compute, unless it is a
    number, begins with an apostrophe.

    Such a text begins with = + - @, also in full width and after spaces or characters that cannot be seen, which some
    programs drop, or with a tab or an end of line. A carriage return becomes a line feed, as pandas quotes the latter
    only, and what follows the former would begin a row.
    """
    text = table.apply(lambda column: column if pd.api.types.is_numeric_dtype(column) else column.map(_no_formula))
    return str(text.set_axis([_no_formula(name) for name in table.columns], axis=1).to_csv(index=False))


def _no_formula(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = value.replace("\r", "\n")
    if not _FORMULA.match(value):
        return value
    with suppress(ValueError):
        float(value)
        return value
    return "'" + value


def write_bytes(target: Path, content: bytes) -> None:
    """Replace `target` by `content`."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def write_json(target: Path, value: Any) -> None:
    """Replace `target` by `value` as indented JSON."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def append_line(target: Path, value: Any) -> None:
    """Append `value` as one JSON line in a single write, so that readers see whole lines.

    What a crash or a full disk left of an earlier line is cut off first.
    """
    settings.require_writable()
    line = (json.dumps(value, ensure_ascii=False) + "\n").encode()
    descriptor = os.open(target, os.O_RDWR | os.O_APPEND | os.O_CREAT | _BINARY, 0o644)
    try:
        _cut_torn_line(descriptor)
        with disk_errors(target):
            if os.write(descriptor, line) < len(line):
                raise OSError("the line was cut short")
        note_change()
    finally:
        os.close(descriptor)


def cut_torn_line(target: Path) -> None:
    """Cut off what a crash, a full disk or a loss of power left of the last line of a file."""
    settings.require_writable()
    descriptor = os.open(target, os.O_RDWR | _BINARY)
    try:
        _cut_torn_line(descriptor)
    finally:
        os.close(descriptor)


def _cut_torn_line(descriptor: int) -> None:
    size = os.fstat(descriptor).st_size
    if size and _read_at(descriptor, size - 1) != b"\n":
        os.ftruncate(descriptor, _read_at(descriptor, 0).rfind(b"\n") + 1)


def _read_at(descriptor: int, position: int) -> bytes:
    """Return the rest of a file; Windows has no `os.pread`."""
    os.lseek(descriptor, position, os.SEEK_SET)
    return os.read(descriptor, os.fstat(descriptor).st_size - position)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading. A FIFO, a device or a socket is not waited for.

    Raises:
        OSError: there is no such file, or it is not a regular one (`errno.EINVAL`).
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return open(path, "rb", opener=lambda *_: descriptor)


def opened_path(file: BufferedReader) -> Path:
    """Return where an open file lies, with links followed as they were when it was opened, where the system tells it
    (Linux); elsewhere as they are now.
    """
    entry = Path(f"/proc/self/fd/{file.fileno()}")
    return entry.readlink() if entry.exists() else Path(file.name).resolve()


Stamp = tuple[int, int, int] | None


def stamp(path: Path | str) -> Stamp:
    """Return the number, time and size of a file, which differ after each atomic write, None if there is none; zeros
    where the system does not tell, as what reads the file will.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - of many files, so without paths
    except FileNotFoundError:
        return None
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_mtime_ns, status.st_size


def read_text(source: Path, errors: str = "strict") -> str:
    """Return the text of a regular file in UTF-8; `errors` as `bytes.decode` has it.

    Raises:
        OSError: as `open_regular`, or it has more than `MAX_TEXT_BYTES`.
        ValueError: it is not UTF-8.
    """
    with open_regular(source) as file:
        if os.fstat(file.fileno()).st_size > MAX_TEXT_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(source))
        return file.read().decode("utf-8", errors)


def read_text_lines(source: Path) -> list[str]:
    """Return the lines of a text file, [] where there is none; a last line still being written is left out."""
    try:
        text = read_text(source, errors="replace")  # a letter may be cut in half in the last line
    except FileNotFoundError:
        return []
    return [line for line in text[: text.rfind("\n") + 1].split("\n") if line]


def read_lines(source: Path) -> list[Any]:
    """Return the JSON values of a file of JSON lines; raises `ValueError` as `parse_json`."""
    return [parse_json(line) for line in read_text_lines(source)]


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is not JSON, is nested more than `MAX_DEPTH` deep, or holds half of a surrogate pair, which UTF-8
            cannot hold, or an integer of more than 64 bits, which no table can.
    """
    text = text if isinstance(text, str) else text.decode()
    try:
        value = json.loads(text, parse_int=_integer)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    if _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _integer(text: str) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError("an integer of more than 64 bits")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        items = (item for each in level for item in (each.values() if isinstance(each, dict) else each))
        if not (level := [item for item in items if isinstance(item, list | dict)]):
            return
    raise ValueError("nested too deeply")
