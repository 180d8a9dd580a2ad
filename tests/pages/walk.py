"""All texts of a page that was opened by AppTest, with the element and field that each is in."""

import json
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

# What Streamlit's Markdown would make something of, and what HTML and Plotly would.
LIVE = re.compile(
    r"(?<!\\)!\[x\]|(?<!\\)`tick|https?://host|:material[/|∕]bomb|www\.host|(?<!\\)<(img|a)\b|(?<!\\)\$x|:red\["
)
LIVE_HTML = re.compile(r"<(img src=x|a\b)")
# Shown as they are: options and values of boxes, tables, alternative texts.
PLAIN = re.compile(
    r"selectbox\.|multiselect\.|text_input\.|dataframe|.*\.alt$|bidi_component\.json|.*\.(id|queryString)$"
)


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


def live(place: str, text: str) -> re.Match[str] | None:
    """Return what a browser would fetch, link, run or format of a text of `texts`, None where it shows all as text."""
    if PLAIN.match(place):
        return None
    if place == "plotly_chart.spec":
        return next((found for each in _strings(json.loads(text)) if (found := LIVE_HTML.search(each))), None)
    return (LIVE_HTML if place.startswith(("html.", "bidi_component.")) else LIVE).search(text)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        # The texts in customdata tell what was clicked; no figure writes them.
        for item in [value[key] for key in value if key != "customdata"] if isinstance(value, dict) else value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value
