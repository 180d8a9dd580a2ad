"""The version of the files on disk, and typed values that are kept as JSON."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from cxrcore import sealing
from cxrcore.errors import DamagedFileError, NewerFileError, UnreadableFileError, UserError
from cxrcore.files import atomic_path, parse_json, read_text, write_json

# 1: files without a version, of the first releases. 2: typed values, messages as id and values.
VERSION = 2
KEY = "schema_version"

PATHS = ("path", "lungs", "lesions", "external_path", "own_path")  # columns of tables
# Columns of text that hold nothing from outside but classes, which the user has named.
_OPEN = {"sha256", "label", "predicted", "split", "part", "kind", "left_out", "format", "pixels", "hashes"}
_OPEN |= {f"{side}_{name}" for side in ("external", "own") for name in ("sha256", "label")}
# Files in the workspace whose name is a hash or a phantom's.
_NEUTRAL = re.compile(r"(datasets/[\w.-]+/)?(images|lungs|lesions)/([0-9a-f]{16}|[a-z]+_p\d+_\d+)(\.[a-z]{3,4})?")
_SEALED, _HIDDEN = b"sealed", "sealed_"
LOCKED = "no key/"  # how a path or patient begins that cannot be decrypted; each row has its own
BATCH = 5000  # rows that are read or written together where a table may not fit into memory


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
            DamagedFileError: it is truncated, or holds something else, or cannot be read.
            NewerFileError: a newer version of the program has written it.
        """
        with _readable(path):
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
        write_json(path, {KEY: VERSION} | self.model_dump(mode="json", context=sealing.ON_DISK))

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
        DamagedFileError: it is not a JSON object, or cannot be read.
        NewerFileError: a newer version of the program has written it.
    """
    try:
        with _readable(path):
            values = parse_json(read_text(path))
    except UnicodeEncodeError as error:
        raise DamagedFileError("{path} is damaged: it holds half of a surrogate pair.", path=path) from error
    except ValueError as error:
        raise DamagedFileError("{path} is damaged: it is truncated, or not JSON.", path=path) from error
    if not isinstance(values, dict):
        raise DamagedFileError("{path} is damaged, or was written by another program.", path=path)
    check_version(values.get(KEY, 1), path)
    return values


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn an error of the system into an `UnreadableFileError`, but for `FileNotFoundError`."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:  # a folder of this name, no permission, a link to itself
        raise UnreadableFileError(path, error) from error


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


def write_table(path: Path, table: pd.DataFrame, index: bool = False, seal: bool = True) -> None:
    """Replace a Parquet file by a table, atomically; its metadata carry the schema version.

    Columns of text are encrypted, but for classes, hashes and codes; so are paths, but for those of files in the
    workspace that are named by a hash. Without `seal` nothing is: for a table that holds no name.
    """
    content = pa.Table.from_pandas(_divided(table) if seal else table, preserve_index=index)
    sealed = [field.name for field in content.schema if seal and _is_sealed(field)]
    own = {KEY.encode(): str(VERSION).encode(), _SEALED: json.dumps(sealed).encode()}
    content = content.replace_schema_metadata((content.schema.metadata or {}) | own)
    encryption = sealing.encryption(sealed) if sealed else None
    with atomic_path(path) as temporary:
        pq.write_table(content, temporary, encryption_properties=encryption)


@contextmanager
def table_writer(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Yield a function that appends rows, with their index, to a table; it replaces a Parquet file when the block ends.

    The rows are given in parts of equal columns, so that not all have to be in memory at once. Nothing is encrypted:
    it is for a table that holds no name.
    """
    with atomic_path(path) as temporary, ExitStack() as stack:
        writers: list[pq.ParquetWriter] = []

        def append(rows: pd.DataFrame) -> None:
            content = pa.Table.from_pandas(rows, preserve_index=True)
            if not writers:
                own = {KEY.encode(): str(VERSION).encode(), _SEALED: b"[]"}
                schema = content.schema.with_metadata((content.schema.metadata or {}) | own)
                writers.append(stack.enter_context(pq.ParquetWriter(temporary, schema)))
            writers[0].write_table(content.cast(writers[0].schema))

        yield append
        if not writers:
            append(pd.DataFrame())


def read_batches(path: Path, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield some columns of a table that `table_writer` wrote, with its index, `BATCH` rows at a time.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: it is truncated, or no table with these columns.
        NewerFileError: a newer version of the program has written it.
    """
    try:
        with pq.ParquetFile(path) as file:
            _check_version(file.schema_arrow.metadata or {}, path)
            for batch in file.iter_batches(BATCH, columns=list(columns), use_pandas_metadata=True):
                yield batch.to_pandas()[list(columns)]
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DamagedFileError("{path} is damaged: it is truncated, or not a Parquet file.", path=path) from error


def read_table(path: Path) -> tuple[pd.DataFrame, int]:
    """Return the table in a Parquet file and its schema version.

    Where the key is not at hand, encrypted text is "", paths and patients begin with `LOCKED`.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedFileError: it is truncated, or no table.
        NewerFileError: a newer version of the program has written it.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
        sealed = json.loads(metadata.get(_SEALED, b"[]"))
        content, locked = _content(path, sealed)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:  # of the system, not of the file's format
            raise UnreadableFileError(path, error) from error
        raise DamagedFileError("{path} is damaged: it is truncated, or not a Parquet file.", path=path) from error
    version = _check_version(metadata, path)
    table = content.to_pandas()
    return _joined(_without_key(table, sealed) if locked else table), version


def _check_version(metadata: Mapping[bytes, bytes], path: Path) -> int:
    """Return the schema version of a Parquet file; raise for one that this program does not know."""
    text = metadata.get(KEY.encode(), b"1")
    version = int(text) if text.isdigit() and len(text) < 10 else 0
    check_version(version, path)
    return version


def seal_table(path: Path) -> bool:
    """Encrypt the names in a table of an earlier version; return whether that was needed. Raises as `read_table`."""
    if _SEALED in (pq.read_schema(path).metadata or {}):
        return False
    table, _ = read_table(path)
    write_table(path, table, index=not isinstance(table.index, pd.RangeIndex))
    return True


def _content(path: Path, sealed: list[str]) -> tuple[pa.Table, bool]:
    """Return what is in a file, and whether the columns `sealed` are not as the key is not at hand."""
    if not sealed:
        return pq.read_table(path), False
    try:
        return pq.read_table(path, decryption_properties=sealing.decryption()), False
    except sealing.NoKeyError:
        names = [name for name in pq.read_schema(path).names if name not in sealed]
        return pq.read_table(path, columns=names), True


def _is_sealed(field: pa.Field) -> bool:
    is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_boolean(field.type)
    return not (is_number or field.name in _OPEN or field.name in PATHS or field.name.startswith("__index"))


def _divided(table: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with each column of paths as two: one of neutral paths, one of the others, which is encrypted."""
    columns: dict[str, pd.Series] = {}
    for name in table:
        columns[name] = table[name]
        if name in PATHS:
            neutral = np.array([_is_neutral(value) for value in table[name].tolist()], bool)
            columns[name] = table[name].where(neutral, "")
            if not neutral.all():
                columns[_HIDDEN + name] = table[name].where(~neutral, "")
    return pd.DataFrame(columns, index=table.index)


def _is_neutral(path: str) -> bool:
    return not path or (path[0] in "dil" and _NEUTRAL.fullmatch(path) is not None)


def _without_key(table: pd.DataFrame, sealed: list[str]) -> pd.DataFrame:
    rows = pd.Series([f"{LOCKED}{row}" for row in range(len(table))], index=table.index)
    for name in sealed:
        open_part = table.get(name.removeprefix(_HIDDEN)) if name.startswith(_HIDDEN) else None
        filled = rows if name == "patient" else pd.Series("", index=table.index)
        table[name] = filled if open_part is None else rows.where(open_part == "", "")
    return table


def _joined(table: pd.DataFrame) -> pd.DataFrame:
    hidden = [name for name in table if str(name).startswith(_HIDDEN)]
    for name in hidden:
        known = str(name).removeprefix(_HIDDEN)
        table[known] = table[known].where(table[name] == "", table[name])
    return table.drop(columns=hidden)


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
