"""Data: choose or add a dataset; counts, samples, and what was left out and why."""

import streamlit as st

from cxrcore.data import dataset
from cxrcore.ui import choose, data_add, data_look, entry, messages

entry.required()
st.title("Data")

look, add = st.tabs(
    ["Look at a dataset", "Add a dataset"],
    default="Look at a dataset" if dataset.names() else "Add a dataset",
)

with add:
    data_add.phantoms()
    data_add.folders()

with look:
    name = choose.choose_dataset()
    if name is None:
        st.info("No dataset yet. Add one: phantoms need no files and take some seconds.", icon=":material/info:")
    else:
        with messages.friendly():
            data_look.show(dataset.load(name))
