"""Home: what this is, what there is, and the next step."""

import streamlit as st

from cxrcore import settings
from cxrcore.i18n import t, translate
from cxrcore.ui import entry, feedback
from cxrcore.ui.home import home

entry.required()
st.title(t("Chest X-ray studio"))
st.markdown(
    t(
        "Train a classifier on chest X-rays, test it, see where it looks, and find out what it really learned. On this "
        "machine: no image leaves it."
    )
)
st.warning(
    t("{notice} A model trained here may be right for the wrong reasons.", notice=translate(feedback.NOTICE)),
    icon=":material/warning:",
)
if settings.read_only():
    home.demonstration()
else:
    home.workplace()
