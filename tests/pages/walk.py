"""All texts of a page that was opened by AppTest, with the element and field that each is in."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest


def texts(test: AppTest) -> Iterator[tuple[str, str]]:
    """Yield (`button.label`, its text) for every field of every element and block; tables as (`dataframe`, CSV)."""
    for node in test.main.root:
        if isinstance(proto := getattr(node, "proto", None), Message):  # the root has none
            yield from _fields(node.type, MessageToDict(proto))
        if node.type in ("dataframe", "table"):
            yield node.type, node.value.to_csv()


def _fields(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _fields(f"{place}.{name}", item)
    elif isinstance(value, list):
        for item in value:
            yield from _fields(place, item)
    elif isinstance(value, str):
        yield place, value
