"""A run as a process of its own: queue, start, stop, status. The dashboard starts runs here."""
