"""Export: files made from a run on request, with progress, held in memory until they are downloaded."""

from collections.abc import Callable
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cxrcore import settings
from cxrcore.i18n import bind, current, t, translate
from cxrcore.progress import Progress, ignore
from cxrcore.reports import artifacts
from cxrcore.reports.artifacts import Artifact
from cxrcore.reports.run_summary import RunSummary
from cxrcore.runs import Run
from cxrcore.ui import computing, feedback, progress

_PREPARED = "prepared exports"


def show(run: Run) -> None:
    """Offer each artifact, and all of them as one ZIP."""
    if not settings.read_only():
        _shown(run)
    summary = RunSummary(run)
    for artifact in artifacts.ARTIFACTS.values():
        title = translate(artifact.title)
        place = _row(title, translate(artifact.description))
        if artifact.quick:
            _download(place, summary, artifact, bind(_maker(artifact, summary)))
        else:
            _prepare(place, summary, artifact, _maker(artifact, summary, title))
    everything = Artifact(
        "zip",
        t("All files"),
        t("All of the above as one ZIP."),
        "all.zip",
        "application/zip",
        lambda summary, _: artifacts.zip_all(summary, progress.stages(), maker=_made),
    )
    place = _row(everything.title, everything.description)
    _prepare(place, summary, everything, lambda: everything.make(summary, ignore))


def _maker(artifact: Artifact, summary: RunSummary, bar: str = "") -> Callable[[], bytes]:
    """Return the function that makes an artifact, with a progress bar if that has a title."""
    return lambda: _made(artifact, summary, progress.bar(bar) if bar else ignore)


def _made(artifact: Artifact, summary: RunSummary, move: Progress) -> bytes:
    """Return the content of an artifact; a heavy one is made by a worker."""
    if not artifact.heavy:
        return artifacts.make(artifact, summary, move)
    text = translate(artifact.title)
    content: bytes = computing.compute(text, artifacts.make_by_key, summary.run, artifact.key, progress=move)
    return content


def _shown(run: Run) -> None:
    with feedback.friendly():
        chosen = st.toggle(
            t("Show this run where the dashboard is read-only"),
            run.shown,
            key=f"shown {run.name}",
            help=t("A read-only server (`cxr app --read-only`) shows only the runs marked here."),
        )
        if chosen != run.shown:
            run.show(chosen)


def _row(title: str, description: str) -> DeltaGenerator:
    """Show what an artifact is; return the place for its button."""
    with st.container(border=True):
        text, action = st.columns([4, 1], vertical_alignment="center")
        text.markdown(f"**{title}**  \n{description}")
    return action


def _prepare(place: DeltaGenerator, summary: RunSummary, artifact: Artifact, make: Callable[[], bytes]) -> None:
    """Show the button that makes an artifact; once it is made, the button that downloads it.

    What was made counts as long as the language and the files of the run are the same.
    """
    prepared = st.session_state.setdefault(_PREPARED, {})
    name = (summary.run.name, current(), summary.changed, artifact.key)
    if name in prepared:
        _download(place, summary, artifact, prepared[name], "primary")
    elif place.button(t("Prepare"), key=f"prepare {artifact.key}", icon=":material/build:", width="stretch"):
        with feedback.friendly():
            prepared.clear()  # only one is held, as a model may have 100 MB
            prepared[name] = make()
            st.rerun()


def _download(
    place: DeltaGenerator,
    summary: RunSummary,
    artifact: Artifact,
    content: bytes | Callable[[], bytes],
    kind: Literal["primary", "secondary"] = "secondary",
) -> None:
    place.download_button(
        t("Download"),
        content,
        artifact.file_name(summary),
        artifact.mime,
        icon=":material/download:",
        on_click="ignore",
        key=f"download {artifact.key}",
        type=kind,
        width="stretch",
    )
