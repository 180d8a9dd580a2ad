"""Datasets: from files to a table with one row an image, and to uint8 pixels. Independent of features and training."""
