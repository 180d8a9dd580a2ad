"""Chest X-ray studio: train, evaluate and explain chest X-ray classifiers.

Importing this package imports neither TensorFlow nor Streamlit; only the modules that compute do.
"""

__version__ = "0.1.0"
