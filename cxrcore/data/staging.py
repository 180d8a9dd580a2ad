"""A new dataset comes to its place in one step: it is there whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from filelock import FileLock

from cxrcore import settings
from cxrcore.data import dataset
from cxrcore.errors import UserError
from cxrcore.files import atomic_path, write_json


def refuse_taken(name: str, replace: bool) -> None:
    """Raise `UserError` when `name` cannot be used for a new dataset."""
    if dataset.check_name(name) in dataset.names() and not replace:
        raise UserError(f"A dataset named {name!r} exists already. Choose another name, or replace it.")


@contextmanager
def staging() -> Iterator[Path]:
    """Yield a temporary folder on the datasets' disk; what is not published when the block ends is gone."""
    settings.datasets_folder().mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".importing-", dir=settings.datasets_folder()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(folder: Path, name: str, table: pd.DataFrame, about: dict, replace: bool) -> dataset.Dataset:
    """Write the table and rename the staged folder to its place: a dataset is there whole or not at all.

    Raises:
        UserError: the name was taken meanwhile, or the disk is full.
    """
    table = table.reindex(columns=[*dataset.TEXT, *dataset.NUMBERS])
    table[dataset.TEXT] = table[dataset.TEXT].astype(object).fillna("").astype(str)
    with atomic_path(folder / "table.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    write_json(folder / "dataset.json", about)
    target = settings.datasets_folder() / name
    with FileLock(settings.datasets_folder() / ".lock"), staging() as old:
        refuse_taken(name, replace)
        if target.exists():
            target.replace(old / name)
        try:
            folder.replace(target)
        except OSError:
            (old / name).replace(target)
            raise
    return dataset.load(name)
