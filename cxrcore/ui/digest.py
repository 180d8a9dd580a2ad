"""Hashes of values as keys of what is kept: Streamlit's own of a table takes milliseconds."""

import pickle  # nosec B403
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pandas as pd


def of(value: object) -> bytes:
    """Return the SHA-256 of a value that can be pickled; equal values may have several, values that differ have not."""
    return sha256(pickle.dumps(value)).digest()


TABLES: dict[str | type[Any], Callable[[Any], Any]] = {pd.DataFrame: of}  # `hash_funcs` of `st.cache_data`
