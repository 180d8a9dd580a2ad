"""ZIP files, read without unpacking; unsafe archives are refused before anything is read or written.

An archive is refused for names that leave the folder ("zip slip") or have characters that cannot be seen, links,
encryption, archives nested three deep, and more entries or bytes than `Budget` allows. Sizes are those that the archive
claims; no more than claimed is unpacked.
"""

import io
import re
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath

from cxrcore.data.errors import ImageError
from cxrcore.data.images import MAX_FILE
from cxrcore.errors import UserError

MAX_FILES = 100_000  # of an archive, or uploaded
MAX_FILES_ON_DISK = 1_000_000  # of a folder with the archives in it; ChestX-ray14 has 112,120 images
MAX_BYTES = 50 * 2**30  # of all files unpacked; ChestX-ray14 has 45 GB
MAX_TABLE = 256 * 2**20  # of a CSV; that of PadChest, with its reports, has over 100 MB
MAX_ARRAY = 2**30  # of one .npy
MAX_HELD = 2**30  # of all inner archives together, which are held in memory
MAX_DIRECTORY = 32 * 2**20  # of the list of an archive's entries, which is read at once; 100,000 long names have 20 MB
DEPTH = 2  # a ZIP in a ZIP is read, a third level is refused
# Control characters, among them ESC, ends of lines, and marks that reverse the direction of the text after them.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_MOST = {".npy": MAX_ARRAY, ".zip": MAX_HELD, ".csv": MAX_TABLE}


@dataclass(frozen=True)
class File:
    """`read` returns the bytes or raises `ImageError`; `mark` changes with the content; `path` if it lies on disk."""

    read: Callable[[], bytes]
    mark: str
    path: Path | None = None


@dataclass
class Budget:
    """What may still be read from one source, of `most` files."""

    most: int = MAX_FILES
    bytes: int = MAX_BYTES
    held: int = MAX_HELD
    files: int = field(init=False)

    def __post_init__(self) -> None:
        self.files = self.most

    def add(self, files: int, size: int, name: str) -> None:
        """Count `files` more of `size` bytes together; raise `UserError` when that is too much."""
        self.files -= files
        self.bytes -= size
        if self.files < 0:
            raise UserError(
                "{name} holds over {most:,} files; at most that many are read from one source.",
                name=name,
                most=self.most,
            )
        if self.bytes < 0:
            raise UserError(
                "{name} unpacks to over {most} GB; no more is read from one source.",
                name=name,
                most=MAX_BYTES // 2**30,
            )

    def hold(self, size: int, name: str) -> None:
        """Count `size` more bytes held in memory; raise `UserError` when that is too much."""
        self.held -= size
        if self.held < 0:
            raise UserError(
                "{name} holds archives of over {most} MB. Unpack those in it first.",
                name=name,
                most=MAX_HELD // 2**20,
            )


def files(source: Path | io.BytesIO, budget: Budget, prefix: str = "", depth: int = 1) -> dict[str, File]:
    """Return the files of an archive by name, after `prefix`.

    Raises:
        UserError: it is not a ZIP, is damaged, or is refused.
    """
    name = source.name if isinstance(source, Path) else prefix.rstrip("/") + ".zip"
    if depth > DEPTH:
        raise UserError("{name}: archives nested three deep are refused. Unpack the inner ones first.", name=name)
    try:
        archive = opened(source)
    except Exception as error:  # zipfile raises errors of any type on damaged archives
        raise UserError(
            "{name} cannot be opened as a ZIP ({error}). Download or export it again.", name=name, error=error
        ) from error
    found: dict[str, File] = {}
    for entry in archive.infolist():
        check_entry(entry, name)
        budget.add(1, entry.file_size, name)
        if entry.is_dir() or _is_hidden(entry.filename):
            continue
        if entry.filename.lower().endswith(".zip"):
            budget.hold(entry.file_size, name)
            inner = in_memory(_inner(archive, entry, name))
            found |= files(inner, budget, prefix + entry.filename[: -len(".zip")] + "/", depth + 1)
        else:
            found[prefix + entry.filename] = File(partial(_read, archive, entry), f"{entry.CRC:08x}-{entry.file_size}")
    return found


class _BoundedFile(io.BufferedReader):
    """A file of which at most `most` bytes are read at once."""

    most = MAX_DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        if size and size > self.most:
            raise ValueError(f"its list of entries has over {self.most // 2**20} MB")
        return super().read(size)


def opened(source: Path | io.RawIOBase | io.BytesIO) -> zipfile.ZipFile:
    """Return an archive whose list of entries was read, which takes some hundred bytes of memory for each.

    A file that is given open is closed on an error only.

    Raises:
        Exception: of any type, as zipfile does on damaged archives; of a list over `MAX_DIRECTORY`, `ValueError`.
    """
    file = _BoundedFile(source.open("rb", buffering=0) if isinstance(source, Path) else source)
    try:
        archive = zipfile.ZipFile(file)
    except BaseException:
        file.close()
        raise
    file.most = MAX_BYTES  # what is read from now on is limited by the sizes of the entries
    return archive


def in_memory(content: bytes) -> io.BytesIO:
    """Return the bytes of an archive as a file."""
    return io.BytesIO(content)


def check_name(file: str, archive: str) -> None:
    """Raise `UserError` for a name that leaves the folder it is unpacked to, or is not shown as it is."""
    parts = PurePosixPath(file).parts
    windows = PureWindowsPath(file)
    if file.startswith("/") or ".." in parts or windows.drive or "\\" in file:
        raise UserError(
            "{archive} is refused: the entry {file!r} would lie outside its folder.", archive=archive, file=file
        )
    if _UNSEEN.search(file):
        raise UserError(
            "{archive} is refused: the name {file!r} has control characters. Rename the file.",
            archive=archive,
            file=file,
        )


def check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    """Raise `UserError` for a name that leaves the folder, a link, an encrypted entry, or too large a one."""
    check_name(entry.orig_filename, name)  # `filename` ends at a NUL
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise UserError("{name} is refused: the entry {filename!r} is a link.", name=name, filename=entry.filename)
    if entry.flag_bits & 1:
        raise UserError("{name} is encrypted. Unpack it with its password and give the folder.", name=name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others are unpacked without a limit
        raise UserError(
            "{name} is refused: {filename!r} is packed by a rare method. Make the ZIP again, by Deflate.",
            name=name,
            filename=entry.filename,
        )
    most = _MOST.get(PurePosixPath(entry.filename).suffix.lower(), MAX_FILE)
    if entry.file_size > most:
        raise UserError(
            "{name} is refused: {filename!r} unpacks to over {most} MB.",
            name=name,
            filename=entry.filename,
            most=most // 2**20,
        )


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


def _inner(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    try:
        return _read(archive, entry)
    except ImageError as error:
        raise UserError(
            "{name}: the archive {filename!r} in it is damaged ({error}).",
            name=name,
            filename=entry.filename,
            error=error,
        ) from error


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(entry) as file:
            # With a number, no more is unpacked; without, all of a bomb is, and cut to the claimed size afterwards.
            return file.read(entry.file_size + 1)
    except Exception as error:  # as above
        raise ImageError("its entry in the archive is damaged ({error})", error=error) from error
