"""The dataset audit: duplicates, leaks between parts, possible confounders and outliers."""
