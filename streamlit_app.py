"""The dashboard: `streamlit run streamlit_app.py` imports this file for the server and runs it for each visitor.

For a visitor: page config, language, navigation and the notice; each page is a script in `pages/`.
"""

import streamlit as st

from cxrcore.i18n import t, translate
from cxrcore.ui import entry, feedback, locale, server

if __name__ == "__main__":
    locale.choose()
    st.set_page_config(page_title=t("Chest X-ray studio"), page_icon=str(entry.FAVICON), layout="wide")
    page = entry.navigation()
    st.sidebar.caption(translate(feedback.NOTICE))
    entry.style()
    entry.show(page)
else:
    app = st.App(
        __file__,
        routes=server.ROUTES,
        middleware=server.MIDDLEWARE,
        lifespan=server.lifespan,
        on_script_error=feedback.show,
    )
