"""Named files to read from, wherever they lie: a folder, an archive, or memory. Readers know nothing else."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cxrcore.data import archive
from cxrcore.data.images import Upload, read
from cxrcore.errors import UserError

File = Path | Callable[[], bytes]


@dataclass(frozen=True)
class Tree:
    """`files`: relative names with `/`, sorted, to the place on disk or to the function that reads one.

    `name` is the folder's or archive's own, `origin` where it was found, for people. `table` names the CSV that was
    given in place of the folder, "" otherwise.
    """

    name: str
    origin: str
    files: Mapping[str, File]
    table: str = ""

    def read(self, name: str) -> bytes:
        """Return the bytes of a file. Raises `ImageError`."""
        file = self.files[name]
        return read(file) if isinstance(file, Path) else file()

    def below(self, folder: str) -> list[str]:
        """Return the names of the files in `folder` and deeper; all of them for ""."""
        return [name for name in self.files if not folder or name.startswith(folder + "/")]


def open_tree(path: Path) -> Tree:
    """Return the files below a folder, those in a ZIP, or a single CSV with the files beside it.

    Hidden files and links to folders are left alone. A ZIP in a folder or in a ZIP is a folder of its name.

    Raises:
        UserError: no such path, one too wide to search, or an archive that is refused (see `archive`).
    """
    path = Path(os.path.expanduser(path)).resolve()  # noqa: PTH111 - Path's own raises for an unknown user
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise UserError(f"There is no folder {path}. Give the folder, ZIP or CSV that holds or lists the images.")
    if path.suffix.lower() == ".csv":
        folder = _of_folder(path.parent)
        return Tree(folder.name, folder.origin, folder.files, table=path.name)
    if path.suffix.lower() == ".zip":
        return Tree(path.stem, str(path), _sorted(archive.files(path, archive.Budget())))
    raise UserError(f"{path} is neither a folder, a ZIP nor a CSV. Give the folder that holds it.")


def of_uploads(uploads: Iterable[Upload], name: str = "upload") -> Tree:
    """Return uploaded files and the contents of uploaded ZIPs; all stay in memory.

    Raises:
        UserError: an archive is refused, or there are too many or too large files.
    """
    budget = archive.Budget()
    found: dict[str, File] = {}
    for upload in uploads:
        file = upload.name.replace("\\", "/")
        archive.check_name(file, name)
        if file.lower().endswith(".zip"):
            found |= archive.files(archive.in_memory(upload.content), budget, file[: -len(".zip")] + "/")
        else:
            budget.take(1, len(upload.content), name)
            found[file] = partial(_content, upload)
    return Tree(name, "uploaded", _sorted(found))


def _of_folder(folder: Path) -> Tree:
    if folder in (Path(folder.anchor), Path.home().resolve()):
        raise UserError(f"{folder} is too wide to search. Give the folder that holds the images.")
    budget = archive.Budget()
    found: dict[str, File] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(place).relative_to(folder)
        for name in names:
            path, inside = Path(place) / name, (relative / name).as_posix()
            if name.lower().endswith(".zip"):
                found |= archive.files(path, budget, inside[: -len(".zip")] + "/")
            elif not name.startswith("."):
                found[inside] = path
    return Tree(folder.name, str(folder), _sorted(found))


def _sorted(files: Mapping[str, File]) -> dict[str, File]:
    return dict(sorted(files.items()))


def _content(upload: Upload) -> bytes:
    return upload.content
