"""Arrays, tables and typed values to Plotly figures. Imports no TensorFlow and no Streamlit."""
