"""Data: look at a dataset, check it before anything is learned from it, or add one."""

import streamlit as st

from cxrcore.data import dataset
from cxrcore.language import said, t
from cxrcore.ui import address, choose, data_add, data_audit, data_images, data_overview, entry, messages

entry.required()
st.title(t("Data"))

names = dataset.names()
if not names:
    st.info(t("No dataset yet. Add one: phantoms need no files and take some seconds."), icon=":material/info:")
name = choose.choose_dataset()
views = {
    said("Overview"): data_overview.show,
    said("Images"): data_images.show,
    said("Check"): data_audit.show,
    said("Add a dataset"): None,
}
tabs = address.tabs("view", list(views), default="Overview" if names else "Add a dataset")

for code, view in views.items():
    with tabs[code], messages.friendly():
        if not tabs[code].open:
            continue
        if view is None:
            data_add.show()
        elif name is None:
            st.caption(t("This shows a dataset, once there is one."))
        else:
            view(dataset.load(name))
