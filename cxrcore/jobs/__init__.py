"""Runs and other long work as processes of their own: queue, start, stop, status."""
