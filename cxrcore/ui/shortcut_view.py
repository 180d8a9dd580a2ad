"""The shortcut audit of a run: its verdict, its evidence, and the button that makes it."""

from typing import Any

import streamlit as st

from cxrcore.features import backbones
from cxrcore.runs import Run
from cxrcore.ui import messages, progress

_WHAT = (
    "Blacks out all but the border of every image, trains anew on what is left, and tests on patients it has not "
    "seen. If the class can still be told, the answer was not in the lungs."
)


def show(run: Run) -> None:
    """Show the audit, or offer it."""
    st.subheader("Does it cheat?")
    if found := run.shortcut:
        _result(found)
        return
    backbone, count = backbones.get(run.config["backbone"]), len(run.table)
    st.caption(f"{_WHAT} Takes about {messages.duration(10 + 4 * count / backbone.rate)}; stay on this page meanwhile.")
    if st.button("Run the shortcut audit", icon=":material/policy:"):
        with messages.friendly():
            _make(run)
            st.rerun()


def _make(run: Run) -> None:
    with st.spinner("Loading the libraries"):
        from cxrcore.evaluation import shortcut
    bars: dict[str, Any] = {}

    def listen(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            bars[stage] = progress.bar(stage.capitalize())
        bars[stage](done, total)

    shortcut.audit(run, listen)


def _result(found: dict[str, Any]) -> None:
    if found["verdict"] == "shortcut":
        st.error(f"**A shortcut.** {found['sentence']}", icon=":material/warning:")
    else:
        st.info(found["sentence"], icon=":material/info:")
    rows = [_row("the whole image, by backbone", found["full"])]
    for key, means in (("border", "backbone"), ("border_pixels", "plain pixels")):
        rows += [_row(f"a border of {width} pixels, by {means}", part) for width, part in reversed(found[key].items())]
    rows.append(
        {"visible": "nothing: always the largest class", "accuracy": f"{found['chance']:.1%}", "95 % interval": ""}
    )
    st.dataframe(rows, hide_index=True)
    if source := found["source"]:
        low, high = source["ci95"]
        st.markdown(
            f"Which **source** an image comes from can be told in {source['accuracy']:.1%} (95 % interval {low:.1%} to "
            f"{high:.1%}). If classes come from different sources, a model can learn the source instead of the disease."
        )
    st.caption(
        "A linear head on this run's backbone, cross-validated by patient; intervals by bootstrap over patients. An "
        "audit that finds nothing does not prove that there is nothing."
    )


def _row(visible: str, found: dict[str, Any]) -> dict[str, str]:
    low, high = found["ci95"]
    return {"visible": visible, "accuracy": f"{found['accuracy']:.1%}", "95 % interval": f"{low:.1%} to {high:.1%}"}
