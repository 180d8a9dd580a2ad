"""Texts that may hold a person's name are encrypted before they are written: names of files and folders, patients.

The key is a file outside the workspace (setting `CXR_KEY_FILE`), made at its first use. Who has the workspace alone, as
a copy, a backup or a disk, reads no names. A text is a Fernet token; columns of a table are encrypted as Parquet
specifies (modular encryption, AES-GCM) with keys of their own, which the key encrypts.
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet.encryption as parquet
from cryptography.fernet import Fernet, InvalidToken
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from cxrcore import settings
from cxrcore.errors import UserError
from cxrcore.messages import Message, msg

ON_DISK = "on disk"  # the pydantic context in which `Sealed` fields are encrypted
NO_KEY = msg(
    "Names of files and patients were encrypted with a key that is not at hand. Restore the key file (setting "
    "CXR_KEY_FILE), or import the images again."
)
_PREFIX = "sealed:"
_MASTER = "path.key"  # what files call the key


class NoKeyError(UserError):
    """What is to be read was encrypted with a key that is not at hand."""

    def __init__(self) -> None:
        super().__init__("{reason}", reason=NO_KEY)


def seal(text: str) -> str:
    """Return a text, encrypted. Raises `UserError` if the key can neither be read nor made."""
    return _PREFIX + _key().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Return the text that `seal` encrypted; one that was never encrypted is returned as it is.

    Raises:
        NoKeyError: it was encrypted with another key, or is damaged.
    """
    if not sealed.startswith(_PREFIX):
        return sealed
    return _decrypted(sealed.removeprefix(_PREFIX)).decode()


@dataclass(frozen=True)
class Sealed:
    """Annotation of a field that is encrypted where a model is dumped with the context `ON_DISK`.

    `absent` is its value in JSON where the key is not at hand, None to raise an error. `empty` is not encrypted.
    """

    absent: Any = None
    empty: Any = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema of the field with encryption around it."""
        inner = handler(source)
        return core_schema.no_info_before_validator_function(
            self._opened,
            inner,
            serialization=core_schema.wrap_serializer_function_ser_schema(self._stored, info_arg=True, schema=inner),
        )

    def _stored(self, value: Any, dump: Any, info: core_schema.SerializationInfo) -> Any:
        plain = dump(value)
        return seal(json.dumps(plain)) if info.context == ON_DISK and plain != self.empty else plain

    def _opened(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith(_PREFIX):
            return value
        try:
            return json.loads(unseal(value))
        except NoKeyError:
            if self.absent is None:
                raise
            return self.absent


SealedMessage = Annotated[Message, Sealed(NO_KEY.model_dump(mode="json"), Message(id="").model_dump(mode="json"))]


def encryption(columns: Collection[str]) -> Any:
    """Return the properties with which PyArrow writes a Parquet file whose `columns` are encrypted."""
    config = parquet.EncryptionConfiguration(
        footer_key=_MASTER,
        column_keys={_MASTER: list(columns)},
        plaintext_footer=True,  # the other columns can be read without the key
        double_wrapping=False,
        data_key_length_bits=256,
    )
    return _factory().file_encryption_properties(parquet.KmsConnectionConfig(), config)


def decryption() -> Any:
    """Return the properties with which PyArrow reads a Parquet file; nothing of it need be encrypted."""
    return _factory().file_decryption_properties(parquet.KmsConnectionConfig(), parquet.DecryptionConfiguration())


class _DataKeys(parquet.KmsClient):  # type: ignore[misc]  # PyArrow has no types
    """Encrypts the keys of files with the user's key, as PyArrow asks for it."""

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> str:
        """Return the key of a file, encrypted."""
        return _key().encrypt(key_bytes).decode()

    def unwrap_key(self, wrapped_key: str, master_key_identifier: str) -> bytes:
        """Return the key of a file."""
        return _decrypted(wrapped_key)


def _factory() -> Any:
    return parquet.CryptoFactory(lambda _: _DataKeys())


def _decrypted(token: str) -> bytes:
    try:
        return Fernet(settings.key_file().read_bytes()).decrypt(token)
    except (OSError, ValueError, InvalidToken) as error:
        raise NoKeyError from error


def _key() -> Fernet:
    path = settings.key_file()
    try:
        with contextlib.suppress(FileNotFoundError):
            return Fernet(path.read_bytes())
        _make(path)
        return Fernet(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(
            "The key of names and patients, {path}, cannot be read or made ({error}). See the setting CXR_KEY_FILE.",
            path=path,
            error=getattr(error, "strerror", None) or error,
        ) from error


def _make(path: Path) -> None:
    """Write a new key; of several processes that do so at once, one wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # readable by its owner only
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
