"""Atomic writes: a reader sees the old file or the new one, never half of either."""

import errno
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cxrcore import settings
from cxrcore.errors import UserError
from cxrcore.i18n import N_

_DISK_ERRNOS = {
    errno.ENOSPC: N_("the disk is full"),
    errno.EDQUOT: N_("the disk quota is used up"),
    errno.EFBIG: N_("the file would be larger than this system allows"),
    errno.EROFS: N_("the disk is read-only"),
}


@contextmanager
def _disk_errors(target: Path) -> Iterator[None]:
    """Turn a disk's refusal into a sentence. NumPy and HDF5 raise errors without a number when a write is cut short."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.errno not in _DISK_ERRNOS:
            raise
        reason = _DISK_ERRNOS.get(error.errno or 0, N_("the disk is full or refused the write"))
        raise UserError(
            "Could not write {target}: {reason}. Free some space and start again; what was finished before is kept.",
            target=target,
            reason=reason,
        ) from error


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` that replaces it when the block ends without error.

    The temporary file keeps the target's suffix, as some writers choose the format by it. It is removed
    when the block fails, so a full disk leaves nothing behind; that failure becomes a `UserError`.
    """
    settings.require_writable()
    temporary = target.with_name(f".{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        with _disk_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Replace `target` by `text` (UTF-8)."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(target: Path, content: bytes) -> None:
    """Replace `target` by `content`."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def write_json(target: Path, value: Any) -> None:
    """Replace `target` by `value` as indented JSON."""
    write_text(target, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(source: Path) -> Any:
    """Return the JSON value in `source`."""
    return json.loads(source.read_text(encoding="utf-8"))


def read_json_if_there(source: Path) -> Any:
    """Return the same, None if there is no such file, also if it goes away meanwhile."""
    try:
        return read_json(source)
    except FileNotFoundError:
        return None


def append_line(target: Path, value: Any) -> None:
    """Append `value` as one JSON line in a single write, so that readers see whole lines.

    What a crash or a full disk left of an earlier line is cut off first.
    """
    settings.require_writable()
    line = (json.dumps(value, ensure_ascii=False) + "\n").encode()
    descriptor = os.open(target, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        _cut_torn_line(descriptor)
        with _disk_errors(target):
            if os.write(descriptor, line) < len(line):
                raise OSError("the line was cut short")
    finally:
        os.close(descriptor)


def _cut_torn_line(descriptor: int) -> None:
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.ftruncate(descriptor, os.pread(descriptor, size, 0).rfind(b"\n") + 1)


def read_lines(source: Path) -> list[Any]:
    """Return the JSON values of a file of JSON lines; a last line still being written is left out."""
    if not source.exists():
        return []
    text = source.read_text(encoding="utf-8", errors="replace")  # a letter may be cut in half in the last line
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].split("\n") if line]
