"""The verdict on a run in words and colour."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from cxrcore.evaluation.verdict import BAD, CAUTION, GOOD, Level, Verdict
from cxrcore.i18n import translate
from cxrcore.ui import feedback

ICONS: dict[Level, str] = {
    GOOD: ":material/check_circle:",
    CAUTION: ":material/warning:",
    BAD: ":material/error:",
}
_BOXES: dict[Level, Callable[..., Any]] = {GOOD: st.success, CAUTION: st.warning, BAD: st.error}


def show(found: Verdict, result: str = "") -> None:
    """Show the findings as one box, or the comparison with the baseline where there are none.

    `result` (Markdown) is a sentence that stands before them.
    """
    sentences = [feedback.plain_text(translate(message)) for message in found.messages]
    parts = [result] if result else []
    parts += sentences if len(sentences) == 1 else ["\n".join(f"- {sentence}" for sentence in sentences)]
    _BOXES[found.level]("\n\n".join(parts), icon=ICONS[found.level])
