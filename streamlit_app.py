"""The dashboard: page config, language, navigation and the notice; each page is a script in `pages/`."""

import streamlit as st

from cxrcore.i18n import t, translate
from cxrcore.ui import collection, entry, locale
from cxrcore.ui.feedback import NOTICE

collection.install()
locale.choose()
st.set_page_config(page_title=t("Chest X-ray studio"), page_icon=str(entry.FAVICON), layout="wide")
page = entry.navigation()
st.sidebar.caption(translate(NOTICE))
entry.style()
page.run()
