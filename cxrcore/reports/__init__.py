"""A run as files to take away: report, model card, model, tables, all of it as one ZIP."""
