"""Reading NumPy archives of a run."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from cxrcore.errors import DamagedFileError


def read_arrays(path: Path, *names: str) -> list[np.ndarray] | None:
    """Return the arrays of these names in an .npz file, None if there is no such file.

    Raises:
        DamagedFileError: it is truncated, or holds something else.
    """
    if not path.is_file():
        return None
    try:
        with np.load(path) as archive:
            return [archive[name] for name in names]
    except (ValueError, OSError, EOFError, KeyError, BadZipFile) as error:
        raise DamagedFileError("{path} is damaged, or was written by another program.", path=path) from error
