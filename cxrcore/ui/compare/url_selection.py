"""The runs chosen in the table, kept in the URL: a link shows the same comparison."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from cxrcore.ui import query_params

_PARAM = "runs"
_BETWEEN = ","  # no name of a run has it


def start(key: str, names: Sequence[str]) -> None:
    """Select in the table `key`, whose rows are the runs `names`, those that a URL names which was not written here, or
    in a table that is new, those chosen last.
    """
    url = st.query_params.get(_PARAM)
    if url is not None and url != st.session_state.get(f"written {_PARAM}"):
        wanted = url
    elif key not in st.session_state:
        wanted = st.session_state.get(f"chosen {_PARAM}") or ""
    else:
        return
    query_params.keep(_PARAM, wanted, "")
    rows = [row for row, name in enumerate(names) if name in set(wanted.split(_BETWEEN))]
    st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def keep(event: Any, names: Sequence[str], listed: Sequence[str]) -> list[str]:
    """Return the names of the runs that are chosen, in the order of `listed`, and write them into the URL.

    They are the selected rows of the table, whose rows are the runs `names`, and those chosen before that the filter
    hides.
    """
    before = (st.session_state.get(f"chosen {_PARAM}") or "").split(_BETWEEN)
    hidden = set(before) - set(names)
    selected = {names[row] for row in event.selection.rows} | hidden
    found = [name for name in listed if name in selected]
    query_params.keep(_PARAM, _BETWEEN.join(found), "")
    return found
