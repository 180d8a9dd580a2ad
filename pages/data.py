"""Data: inspect, audit and edit a dataset, or add one."""

import streamlit as st

from cxrcore.data import dataset
from cxrcore.i18n import N_, t
from cxrcore.ui import entry, feedback, query_params, selection
from cxrcore.ui.data import add, audit, images, overview

entry.required()
st.title(t("Data"))
st.caption(t("Inspect, audit and edit a dataset, or add one."))

names = dataset.names()
if not names:
    st.info(t("No dataset yet. Add one: synthetic X-rays need no files and take seconds."), icon=":material/info:")
feedback.damaged(dataset.damaged())
name = None
with feedback.friendly():
    name = selection.choose_dataset()
views = {
    N_("Overview"): overview.show,
    N_("Images"): images.show,
    N_("Audit"): audit.show,
    N_("Add a dataset"): None,
}
tabs = query_params.tabs("view", list(views), default="Overview" if names else "Add a dataset")

for code, view in views.items():
    with tabs[code], feedback.friendly():
        if not tabs[code].open:
            continue
        if view is None:
            add.show()
        elif name is None:
            st.caption(t("Add a dataset first."))
        else:
            view(dataset.load(name))
