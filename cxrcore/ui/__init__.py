"""The Streamlit dashboard: shared widgets, and one subpackage per page."""
