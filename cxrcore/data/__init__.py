"""Files to a table, one row an image, and to uint8 pixels. Knows nothing of features or training."""
