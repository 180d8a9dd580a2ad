"""From predictions to metrics with 95 % intervals."""
