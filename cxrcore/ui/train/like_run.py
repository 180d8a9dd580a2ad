"""A run with the settings of another and a new image transform, to which the Results page leads."""

import streamlit as st
import yaml

from cxrcore import runs
from cxrcore.config import run_config
from cxrcore.data import dataset
from cxrcore.features.image_transforms import TRANSFORMS
from cxrcore.i18n import t, translate
from cxrcore.jobs import expected_time, queue
from cxrcore.ui import feedback, selection
from cxrcore.ui.train import form

_LIKE, _TRANSFORM = "like", "transform"


def is_asked() -> bool:
    """Return whether the URL names a run and an image transform."""
    if _LIKE not in st.query_params or st.query_params.get(_TRANSFORM) not in TRANSFORMS:
        return False
    return st.query_params[_LIKE] in {run.name for run in runs.listing()}


def show() -> None:
    """Show what would be trained, with the button that starts it and one that returns to the form."""
    run, transform = runs.load(st.query_params[_LIKE]), st.query_params[_TRANSFORM]
    with st.container(border=True), feedback.friendly():
        st.subheader(t("New run"))
        st.markdown(
            t(
                "The settings of **{run}**, with the image transform **{transform}**.",
                run=feedback.plain_text(selection.run_label(run)),
                transform=translate(TRANSFORMS[transform]),
            )
        )
        row = st.container(horizontal=True)
        if row.button(t("Choose other settings"), icon=":material/tune:"):
            _leave()
        changes = {"image_transform": transform, "dataset_version": 0}  # the newest version
        config = run_config.validated(run.requested.plain() | changes)
        st.caption(form.time_text(expected_time.before(config, dataset.load(config.dataset)), config))
        start = row.button(t("Start training"), type="primary", icon=":material/play_arrow:")
        with st.expander(t("Settings")):
            st.code(yaml.safe_dump(config.plain(), sort_keys=False, allow_unicode=True), "yaml")
        if start:
            st.query_params["run"] = queue.submit(config).name
            _leave()


def _leave() -> None:
    for name in (_LIKE, _TRANSFORM):
        st.query_params.pop(name, None)
    st.rerun()
