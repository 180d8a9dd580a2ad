"""Take-aways: made when asked for, with progress, and held in memory until they are downloaded."""

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from cxrcore import settings
from cxrcore.i18n import bind, current, t, translate
from cxrcore.reports import artifacts
from cxrcore.reports.run_summary import RunSummary
from cxrcore.runs import Run
from cxrcore.ui import feedback, progress


def show(run: Run) -> None:
    """Offer each part, and all of them as one ZIP."""
    if not settings.read_only():
        _shown(run)
    facts = RunSummary(run)
    state = (run.name, current(), facts.changed)
    for part in artifacts.ARTIFACTS.values():
        title = translate(part.title)
        action = _row(title, translate(part.about))
        if part.quick:
            make = bind(lambda part=part: part.make(facts, lambda done, total: None))  # type: ignore[misc]
            _download(action, make, run, part.key, part.file, part.mime)
        else:
            _prepared(action, run, state, part.key, part.file, part.mime,
                      lambda part=part, title=title: part.make(facts, progress.bar(title)))  # type: ignore[misc]  # fmt: skip
    titles = {part.title: translate(part.title) for part in artifacts.ARTIFACTS.values()}
    action = _row(t("Everything"), t("All of the above as one ZIP."))
    _prepared(action, run, state, "everything", "everything.zip", "application/zip",
              lambda: artifacts.everything(facts, progress.stages(titles)))  # fmt: skip


def _shown(run: Run) -> None:
    with feedback.friendly():
        chosen = st.toggle(
            t("Show this run where the dashboard is read-only"), run.shown, key=f"shown {run.name}",
            help=t("A server started with CXR_READ_ONLY=1 shows only runs marked so: for demonstrations."),
        )  # fmt: skip
        if chosen != run.shown:
            run.show(chosen)


def _row(title: str, about: str) -> Any:
    """Show what a part is; return the place for its button."""
    with st.container(border=True):
        text, action = st.columns([4, 1], vertical_alignment="center")
        text.markdown(f"**{title}**  \n{about}")
    return action


def _prepared(
    action: Any, run: Run, state: tuple[Any, ...], key: str, file: str, mime: str, make: Callable[[], bytes]
) -> None:
    """Show the button that makes a part, with progress; once it is made of this `state`, the one that downloads it."""
    made = st.session_state.setdefault("made", {})
    name = (*state, key)
    if name in made:
        _download(action, made[name], run, key, file, mime, "primary")
    elif action.button(t("Prepare"), key=f"prepare {key}", icon=":material/build:", width="stretch"):
        with feedback.friendly():
            made.clear()  # one at a time is held, as a model may have 100 MB
            made[name] = make()
            st.rerun()


def _download(
    action: Any,
    content: Any,
    run: Run,
    key: str,
    file: str,
    mime: str,
    kind: Literal["primary", "secondary"] = "secondary",
) -> None:
    action.download_button(
        t("Download"), content, f"{run.name}-{file}", mime, icon=":material/download:", on_click="ignore",
        key=f"download {key}", type=kind, width="stretch",
    )  # fmt: skip
