"""The dashboard: page config, navigation and the notice; each page is a script in `pages/`."""

import streamlit as st

from cxrcore.ui import entry
from cxrcore.ui.messages import NOTICE

st.set_page_config(page_title="Chest X-ray studio", page_icon=":material/radiology:", layout="wide")
page = entry.navigation()
st.sidebar.caption(NOTICE)
page.run()
