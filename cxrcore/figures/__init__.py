"""Arrays and tables to figures and files. Knows no run folder, no model and no Streamlit."""
