"""What could mislead a model, found in a dataset before anything is learned from it."""
