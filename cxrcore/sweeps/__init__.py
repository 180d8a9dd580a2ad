"""Many trainings that look for the best settings, ranked by validation alone."""
