"""Our way against the tutorials' way, both in one process on the real X-rays, as ratios."""
