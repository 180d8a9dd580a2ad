"""A folder that serves chosen runs read-only, with what a server needs besides."""
