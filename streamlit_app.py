"""The dashboard: page config, navigation and the notice; each page is a script in `pages/`."""

import streamlit as st

from cxrcore.ui.messages import NOTICE

st.set_page_config(page_title="Chest X-ray studio", page_icon=":material/radiology:", layout="wide")
page = st.navigation(
    [
        st.Page("pages/home.py", title="Home", icon=":material/home:", default=True),
        st.Page("pages/data.py", title="Data", icon=":material/folder_open:"),
        st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
        st.Page("pages/results.py", title="Results", icon=":material/analytics:"),
        st.Page("pages/explain.py", title="Explain", icon=":material/visibility:"),
    ]
)
st.sidebar.caption(NOTICE)
page.run()
