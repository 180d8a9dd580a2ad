"""A config and a dataset to a trained model in a run folder. Knows nothing of jobs or of the dashboard."""
