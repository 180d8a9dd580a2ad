"""The version of the files on disk, and typed values that are kept as JSON."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from cxrcore.errors import DamagedFileError, NewerFileError, UserError
from cxrcore.files import atomic_path, write_json

# 1: files without a version, of the first releases. 2: typed values, messages as id and values.
VERSION = 2
KEY = "schema_version"


class Stored(BaseModel):
    """A typed value that is kept as a JSON file with its schema version; older versions are migrated when read."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)
    schema_version: ClassVar[int] = VERSION

    @classmethod
    def migrate(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Return the values of a file of an older `version` as those of this one."""
        return values

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the value in a file.

        Raises:
            FileNotFoundError: there is no such file.
            DamagedFileError: it is truncated, or holds something else.
            NewerFileError: a newer version of the program has written it.
        """
        status = path.stat()
        return _read(cls, path, (status.st_ino, status.st_mtime_ns, status.st_size))  # type: ignore[return-value]

    @classmethod
    def read_if_present(cls, path: Path) -> Self | None:
        """Return the same, or None if there is no such file, also if it disappears meanwhile."""
        try:
            return cls.read(path)
        except FileNotFoundError:
            return None

    def write(self, path: Path) -> None:
        """Replace a file by this value, atomically."""
        write_json(path, {KEY: VERSION} | self.plain())

    def plain(self) -> dict[str, Any]:
        """Return the value as JSON has it, without the schema version."""
        return self.model_dump(mode="json")


@lru_cache(maxsize=20_000)  # about six files of each run are read to list it
def _read(cls: type[Stored], path: Path, state: tuple[int, int, int]) -> Stored:
    """Return a value; the file's number, time and size are part of the key, so a changed file is read again. The number
    changes with each atomic write, the time may not: its resolution is some milliseconds.
    """
    values = read_versioned(path)
    version = values.pop(KEY, 1)
    try:
        return cls.model_validate(cls.migrate(values, version) if version < VERSION else values)
    except UserError as error:  # a validator's own words, which pydantic passes on
        raise DamagedFileError("{path} is not valid: {error}", path=path, error=error) from error
    except (ValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedFileError("{path} is damaged, or was written by another program.", path=path) from error


def read_versioned(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file with its version under `KEY`, absent for version 1.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: it is not a JSON object.
        NewerFileError: a newer version of the program has written it.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedFileError("{path} is damaged: it is truncated, or not JSON.", path=path) from error
    if not isinstance(values, dict):
        raise DamagedFileError("{path} is damaged, or was written by another program.", path=path)
    check_version(values.get(KEY, 1), path)
    return values


def check_version(version: object, path: Path) -> None:
    """Raise for a schema version that this program does not know."""
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise DamagedFileError("{path} is damaged, or was written by another program.", path=path)
    if version > VERSION:
        raise NewerFileError(
            "{path} was written by a newer version of this program (schema {version}; this one knows {known}). Update "
            "the program to open it.",
            path=path,
            version=version,
            known=VERSION,
        )


def write_table(path: Path, table: pd.DataFrame, index: bool = False) -> None:
    """Replace a Parquet file by a table, atomically; its metadata carry the schema version."""
    content = pa.Table.from_pandas(table, preserve_index=index)
    content = content.replace_schema_metadata({**(content.schema.metadata or {}), KEY.encode(): str(VERSION).encode()})
    with atomic_path(path) as temporary:
        pq.write_table(content, temporary)


def read_table(path: Path) -> tuple[pd.DataFrame, int]:
    """Return the table in a Parquet file and its schema version.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: it is truncated, or no table.
        NewerFileError: a newer version of the program has written it.
    """
    try:
        content = pq.read_table(path)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DamagedFileError("{path} is damaged: it is truncated, or not a Parquet file.", path=path) from error
    text = (content.schema.metadata or {}).get(KEY.encode(), b"1")
    version = int(text) if text.isdigit() else 0
    check_version(version, path)
    return content.to_pandas(), version


def to_plain(value: object) -> Any:
    """Return a dataclass, a model or a container of them as JSON has it."""
    return TypeAdapter(Any).dump_python(value, mode="json")


def migrate_metrics(value: Any) -> Any:
    """Return plain values of version 1 with each `ci95` pair as `low` and `high`, at any depth.

    Version 1 called the value of a cross-validated probe `accuracy`.
    """
    if isinstance(value, list):
        return [migrate_metrics(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: migrate_metrics(item) for name, item in value.items()}
    if isinstance(bounds := found.get("ci95"), list) and len(bounds) == 2:
        del found["ci95"]
        found |= {"low": bounds[0], "high": bounds[1]}
        if "value" not in found and isinstance(found.get("accuracy"), int | float):
            found["value"] = found.pop("accuracy")
    return found
