"""Predictions to numbers with intervals."""
