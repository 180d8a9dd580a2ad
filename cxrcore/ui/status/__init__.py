"""The Status page: disk, memory, queue, errors, settings and versions of the server."""
