"""Where the model looks, and whether that can be believed."""
