"""Data: look at a dataset, check it before anything is learned from it, or add one."""

import streamlit as st

from cxrcore.data import dataset
from cxrcore.language import t
from cxrcore.ui import choose, data_add, data_audit, data_images, data_overview, entry, messages

entry.required()
st.title(t("Data"))

names = dataset.names()
if not names:
    st.info(t("No dataset yet. Add one: phantoms need no files and take some seconds."), icon=":material/info:")
name = choose.choose_dataset()
if "next_view" in st.session_state:
    st.session_state["view"] = st.session_state.pop("next_view")
overview, images, audit, add = st.tabs(
    [t("Overview"), t("Images"), t("Check"), t("Add a dataset")],
    default=t("Overview") if names else t("Add a dataset"),
    key="view",
    bind="query-params",
)

with add:
    if add.open:
        data_add.show()

for tab, show in ((overview, data_overview.show), (images, data_images.show), (audit, data_audit.show)):
    with tab, messages.friendly():
        if tab.open and name is None:
            st.caption(t("This shows a dataset, once there is one."))
        elif tab.open:
            show(dataset.load(name))
