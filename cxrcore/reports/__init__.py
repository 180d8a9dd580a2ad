"""Files made from a run: report, prediction grid, model card, model, tables, and all of them as one ZIP."""
