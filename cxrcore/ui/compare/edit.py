"""What can be done with the runs chosen in the table: a name, tags, ways to their pages, deleting; the trash."""

import streamlit as st

from cxrcore import runs as shelf
from cxrcore import settings
from cxrcore.i18n import nt, t
from cxrcore.jobs import control
from cxrcore.runs import Run
from cxrcore.ui import feedback, selection


def undo() -> None:
    """Offer to take back what was just deleted."""
    names = st.session_state.get("deleted runs", [])
    if not names:
        return
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.info(
        nt("{n} run is in the trash, where it stays for a week.", "{n} runs are in the trash, for a week.", len(names)),
        icon=":material/delete:",
    )
    if right.button(t("Undo"), icon=":material/undo:", width="stretch"):
        with feedback.friendly():
            for name in {run.name for run in shelf.discarded()} & set(names):  # another session may have had one
                shelf.restore(name)
            st.session_state["deleted runs"] = []
            st.rerun()


def trash() -> None:
    """Show what was deleted within the last week, each run with a button that takes it back."""
    if settings.read_only() or not (found := shelf.discarded()):
        return
    with st.expander(t("Trash"), icon=":material/delete:"):
        st.caption(t("What is here for a week is deleted for good."))
        labels = selection.labels(found)
        for run in found:
            left, right = st.columns([4, 1], vertical_alignment="center")
            left.markdown(feedback.plain_text(labels[run.name]))
            if right.button(t("Take back"), key=f"restore {run.name}", width="stretch"):
                with feedback.friendly():
                    shelf.restore(run.name)
                    left_there = [name for name in st.session_state.get("deleted runs", []) if name != run.name]
                    st.session_state["deleted runs"] = left_there
                    st.rerun()


def show(chosen: list[Run], labels: dict[str, str]) -> None:
    """Show the links and, where something may be changed, the form of one run and the button that deletes."""
    row = st.container(horizontal=True)
    if len(chosen) == 1:
        (run,) = chosen
        for page, label in (("train", t("Learning")), ("results", t("Results")), ("explain", t("Explain"))):
            if not settings.read_only() if page == "train" else run.metrics:
                row.page_link(f"pages/{page}.py", label=label, query_params={"run": run.name})
    if settings.read_only():
        return
    if len(chosen) == 1:
        with row.popover(t("Rename and tag"), icon=":material/edit:"):
            _form(chosen[0])
    with row.popover(t("Delete"), icon=":material/delete:"):
        st.write(nt("Delete this run?", "Delete these {n} runs?", len(chosen)))
        for run in chosen:
            st.markdown(f"- {feedback.plain_text(labels[run.name])}")
        st.caption(t("They go into the trash and can be taken back for a week."))
        if st.button(t("Delete"), type="primary", key="delete runs"):
            _delete(chosen)


def _form(run: Run) -> None:
    card = run.card
    title = st.text_input(t("Name"), card["title"], key=f"title {run.name}", placeholder=selection.run_label(run))
    tags = st.text_input(t("Tags, separated by commas"), ", ".join(card["tags"]), key=f"tags {run.name}")
    if st.button(t("Save"), key=f"save {run.name}"):
        with feedback.friendly():
            run.describe(title=title.strip(), tags=[tag.strip() for tag in tags.split(",") if tag.strip()])
            st.rerun()


def _delete(chosen: list[Run]) -> None:
    with feedback.friendly():
        deleted = []
        for run in chosen:
            control.delete(run)
            deleted.append(run.name)
            st.session_state["deleted runs"] = deleted
        st.rerun()
