"""Care for a workspace: what is wrong in it, and what may be deleted."""
