"""The folders that a user of the dashboard may import from (setting `CXR_DATA_ROOTS`)."""

from collections.abc import Sequence
from pathlib import Path


def contain(roots: Sequence[Path] | None, path: Path) -> bool:
    """Tell whether `path`, with links followed, lies in one of `roots` (absolute, without links); None: anywhere."""
    return roots is None or any(path.resolve().is_relative_to(root) for root in roots)
