"""Status: disk, memory, queue, errors and settings of the server, for those who may change something."""

import streamlit as st

from cxrcore import settings
from cxrcore.i18n import t
from cxrcore.ui import entry, feedback
from cxrcore.ui.status import view

entry.required()
st.title(t("Status"))
st.caption(t("What the server uses, what waits, and what went wrong."))
with feedback.friendly():
    settings.require_writable()
    view.show()
