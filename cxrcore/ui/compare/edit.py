"""Actions on the runs chosen in the table: links, title and tags, deletion; the trash."""

import streamlit as st

from cxrcore import runs, settings
from cxrcore.i18n import nt, t
from cxrcore.jobs import control
from cxrcore.runs import Run
from cxrcore.ui import feedback, selection

_DELETED = "deleted runs"


def undo() -> None:
    """Offer to restore the runs that were just deleted."""
    names = st.session_state.get(_DELETED, [])
    if not names:
        return
    left, right = st.columns([4, 1], vertical_alignment="center")
    text = nt("{n} run is in the trash for a week.", "{n} runs are in the trash for a week.", len(names))
    left.info(text, icon=":material/delete:")
    if right.button(t("Undo"), icon=":material/undo:", width="stretch"):
        with feedback.friendly():
            for name in {run.name for run in runs.discarded()} & set(names):  # another session may have restored one
                runs.restore(name)
            st.session_state[_DELETED] = []
            st.rerun()


def trash() -> None:
    """Show the runs that were deleted within the last week, each with a button that restores it."""
    if settings.read_only() or not (found := runs.discarded()):
        return
    with st.expander(t("Trash"), icon=":material/delete:"):
        st.caption(t("Runs are deleted permanently after a week."))
        labels = selection.labels(found)
        for run in found:
            left, right = st.columns([4, 1], vertical_alignment="center")
            left.markdown(feedback.plain_text(labels[run.name]))
            if right.button(t("Restore"), key=f"restore {run.name}", width="stretch"):
                with feedback.friendly():
                    runs.restore(run.name)
                    deleted = st.session_state.get(_DELETED, [])
                    st.session_state[_DELETED] = [name for name in deleted if name != run.name]
                    st.rerun()


def show(chosen: list[Run], labels: dict[str, str]) -> None:
    """Show the links of one run and, unless the dashboard is read-only, the form and, under *More*, the button that
    deletes.
    """
    row = st.container(horizontal=True)
    if len(chosen) == 1:
        (run,) = chosen
        pages = {"results": t("Results"), "explain": t("Explain")} if run.metrics else {}
        if not settings.read_only():
            pages = {"train": t("Train")} | pages
        for page, label in pages.items():
            row.page_link(f"pages/{page}.py", label=label, query_params={"run": run.name})
    if settings.read_only():
        return
    if len(chosen) == 1:
        with row.popover(t("Rename and tag"), icon=":material/edit:"):
            _form(chosen[0])
    with row.popover(t("More"), icon=":material/more_vert:"):
        st.write(nt("Delete this run?", "Delete these {n} runs?", len(chosen)))
        for run in chosen:
            st.markdown(f"- {feedback.plain_text(labels[run.name])}")
        st.caption(t("They are moved to the trash and can be restored for a week."))
        if st.button(t("Delete"), icon=":material/delete:", key="delete runs"):
            _delete(chosen)


def _form(run: Run) -> None:
    card = run.card
    title = st.text_input(t("Title"), card.title, key=f"title {run.name}", placeholder=selection.run_label(run))
    tags = st.text_input(t("Tags, separated by commas"), ", ".join(card.tags), key=f"tags {run.name}")
    if st.button(t("Save"), key=f"save {run.name}"):
        with feedback.friendly():
            run.describe(title=title.strip(), tags=[tag.strip() for tag in tags.split(",") if tag.strip()])
            st.rerun()


def _delete(chosen: list[Run]) -> None:
    with feedback.friendly():
        deleted: list[str] = []
        for run in chosen:
            control.delete(run)
            deleted.append(run.name)
            st.session_state[_DELETED] = deleted
        st.rerun()
