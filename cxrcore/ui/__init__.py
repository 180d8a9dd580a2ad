"""Pieces that pages share. Only this package, `pages/` and `streamlit_app.py` import Streamlit."""
