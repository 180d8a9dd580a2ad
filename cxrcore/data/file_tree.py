"""Named files in a folder, an archive or memory. Readers read from these only."""

import os
import stat
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from cxrcore.data import archive
from cxrcore.data.archive import File
from cxrcore.data.errors import ImageError
from cxrcore.data.images import Upload, read
from cxrcore.data.roots import contain
from cxrcore.errors import UserError


@dataclass(frozen=True)
class FileTree:
    """`files`: relative names with `/`, sorted, to the file.

    `name` is that of the folder or archive, `origin` the place to show to users. `table` is the CSV that was chosen
    instead of the folder, "" otherwise. `name_is_folder`: whether `name` is a folder's, and so may be a finding.
    """

    name: str
    origin: str
    files: Mapping[str, File]
    table: str = ""
    name_is_folder: bool = True

    def read(self, name: str) -> bytes:
        """Return the bytes of a file. Raises `ImageError`."""
        return self.files[name].read()

    def below(self, folder: str) -> list[str]:
        """Return the names of the files in `folder` and deeper; all of them for ""."""
        return [name for name in self.files if not folder or name.startswith(folder + "/")]


def absolute(text: str | Path) -> Path:
    """Return a path given by a user, absolute and without links; raise `UserError` if it is not a path."""
    try:
        return Path(os.path.expanduser(text)).resolve()  # noqa: PTH111 - Path's own raises for an unknown user
    except (ValueError, OSError, RuntimeError) as error:
        raise UserError(
            "{received!r} is not a path on this machine ({error}).", received=str(text), error=error
        ) from error


def open_file_tree(path: Path, roots: Sequence[Path] | None = None) -> FileTree:
    """Return the files below a folder, those in a ZIP, or a single CSV with the files beside it.

    Hidden files and links to folders are skipped. A ZIP in a folder or in a ZIP is a folder of its name. With
    `roots`, a link to a file outside of them is not followed.

    Raises:
        UserError: no such path, one too broad to search, too many files, or an archive that is refused (see `archive`).
    """
    path = absolute(path)
    if path.is_dir():
        return _of_folder(path, roots)
    if not path.is_file():
        raise UserError(
            "There is no folder {path}. Give the folder, ZIP or CSV that holds or lists the images.", path=path
        )
    if path.suffix.lower() == ".csv":
        folder = _of_folder(path.parent, roots)
        return FileTree(folder.name, folder.origin, folder.files, table=path.name)
    if path.suffix.lower() == ".zip":
        return FileTree(path.stem, str(path), _sorted(archive.files(path, archive.Budget())))
    raise UserError("{path} is neither a folder, a ZIP nor a CSV. Give the folder that holds it.", path=path)


def of_uploads(uploads: Iterable[Upload], name: str = "upload") -> FileTree:
    """Return uploaded files and the contents of uploaded ZIPs; all stay in memory. Files of one name get numbers.

    Raises:
        UserError: an archive is refused, or there are too many or too large files.
    """
    budget = archive.Budget()
    found: dict[str, File] = {}
    for upload in uploads:
        file = upload.name.replace("\\", "/")
        archive.check_name(file, name)
        if file.lower().endswith(".zip"):
            inside = archive.files(archive.in_memory(upload.content), budget, file[: -len(".zip")] + "/")
        else:
            budget.add(1, len(upload.content), name)
            mark = f"{zlib.crc32(upload.content):08x}-{len(upload.content)}"
            inside = {file: File(partial(_content, upload), mark)}
        _add(found, inside)
    return FileTree(name, "uploaded", _sorted(found), name_is_folder=False)


def _of_folder(folder: Path, roots: Sequence[Path] | None) -> FileTree:
    if folder in (Path(folder.anchor), Path.home().resolve()):
        raise UserError("{folder} is too broad to search. Give the folder that holds the images.", folder=folder)
    budget = archive.Budget(archive.MAX_FILES_ON_DISK)
    found: dict[str, File] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(place).relative_to(folder)
        for name in sorted(names):
            path, inside = Path(place) / name, (relative / name).as_posix()
            if name.startswith("."):
                continue
            refused = _refused(path, roots)
            if refused:
                _add(found, {inside.encode(errors="replace").decode(): File(refused, "refused")})
            elif name.lower().endswith(".zip"):
                _add(found, archive.files(path, budget, inside[: -len(".zip")] + "/"))
            else:
                budget.add(1, 0, str(folder))
                _add(found, {inside: File(partial(read, path, roots), _mark(path), path)})
    return FileTree(folder.name, str(folder), _sorted(found))


def _refused(path: Path, roots: Sequence[Path] | None) -> Callable[[], bytes] | None:
    """Return a function that raises the reason why a file is not read, None if it may be read."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return partial(_raise, ImageError("the file's name is not in UTF-8: rename it"))
    if path.is_symlink() and not contain(roots, path):
        return partial(_raise, ImageError("a link to a file outside of CXR_DATA_ROOTS", kind="outside"))
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        return partial(_raise, ImageError("not a regular file but a device, a FIFO or a socket"))
    return None


def _mark(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:  # a broken link; reading it raises the error
        return "gone"
    return f"{status.st_size}-{status.st_mtime_ns}"


def _add(found: dict[str, File], more: Mapping[str, File]) -> None:
    """Add files; one whose name is taken gets a number."""
    for name, file in more.items():
        path, number, free = PurePosixPath(name), 1, name
        while free in found:
            number += 1
            free = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
        found[free] = file


def _sorted(files: Mapping[str, File]) -> dict[str, File]:
    return dict(sorted(files.items()))


def _content(upload: Upload) -> bytes:
    return upload.content


def _raise(error: ImageError) -> bytes:
    raise error
