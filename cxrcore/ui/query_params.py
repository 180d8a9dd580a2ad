"""Choices that are kept in the URL and in the visitor's session, as codes that do not depend on the language.

A widget's key holds the language, as Streamlit keeps the label that was shown: after a switch of the language it is
another widget that starts with the same choice.
"""

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.mutable_tab_container import TabContainer

from cxrcore.i18n import current, translate


def start(name: str, options: Sequence[str], default: str | None) -> str:
    """Put the choice `name` into the state of its widget and return the widget's key.

    The first of these that is among `options`: what `put` has set, a URL that was not written here, the widget's value,
    the last choice, and `default`.
    """
    key, url = f"{name} {current()}", st.query_params.get(name)
    found = [
        st.session_state.pop(f"put {name}", None),
        url if url != st.session_state.get(f"written {name}") else None,
        st.session_state.get(key),
        st.session_state.get(f"chosen {name}"),
    ]
    st.session_state[key] = next((value for value in found if value is not None and value in options), default)
    return key


def keep(name: str, value: str | None, default: str | None) -> None:
    """Write the choice into the URL, unless it is the default or None."""
    st.session_state[f"chosen {name}"] = value
    if value is None or value == default:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value
    st.session_state[f"written {name}"] = st.query_params.get(name)


def put(name: str, value: str) -> None:
    """Set the choice of a widget that is drawn later."""
    st.session_state[f"put {name}"] = value


def address(page: str, **choices: str) -> str:
    """Return the address of another page of the dashboard with these choices, relative to this page."""
    return f"{page}?{urlencode({'lang': current()} | choices)}"


def selectbox(
    place: DeltaGenerator,
    label: str,
    name: str,
    options: Sequence[str],
    names: Callable[[str], str] = translate,
    help: str | None = None,
) -> str:
    """Show a selectbox at `place`; the first option is the default, which the URL does not name."""
    key = start(name, options, options[0])
    value = str(place.selectbox(label, options, format_func=names, key=key, help=help))
    keep(name, value, options[0])
    return value


def tabs(name: str, codes: Sequence[str], default: str) -> dict[str, TabContainer]:
    """Show tabs and return each by its code; `.open` tells which one is open."""
    labels = {translate(code): code for code in codes}
    key = f"{name} tabs {current()}"
    st.session_state[f"{name} {current()}"] = labels.get(st.session_state.get(key, ""))
    chosen = st.session_state[start(name, codes, default)]
    st.session_state[key] = translate(chosen)
    keep(name, chosen, default)
    return dict(zip(codes, st.tabs(list(labels), key=key, on_change="rerun"), strict=True))
