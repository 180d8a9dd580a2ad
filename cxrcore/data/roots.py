"""The folders that a user of the dashboard may import or read weights from (setting `CXR_DATA_ROOTS`)."""

from collections.abc import Sequence
from io import BufferedReader
from pathlib import Path

from cxrcore.files import open_regular, opened_path


def contain(roots: Sequence[Path] | None, path: Path) -> bool:
    """Tell whether `path`, with links followed, lies in one of `roots` (absolute, without links); None: anywhere."""
    return roots is None or any(path.resolve().is_relative_to(root) for root in roots)


def open_within(roots: Sequence[Path] | None, path: Path) -> BufferedReader:
    """Open a regular file that lies in one of `roots`. The opened file is checked, so that a link that is replaced
    after the check leads nowhere else.

    Raises:
        PermissionError: it lies outside.
        OSError: as `files.open_regular`.
    """
    if not contain(roots, path):  # before anything is opened: opening a device may have effects
        raise PermissionError(f"{path} lies outside the permitted folders")
    file = open_regular(path)
    if roots is not None and not any(opened_path(file).is_relative_to(root) for root in roots):
        file.close()
        raise PermissionError(f"{path} lies outside the permitted folders")
    return file
