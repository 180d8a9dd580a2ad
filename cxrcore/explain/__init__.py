"""Heatmaps of a trained run, and checks of their faithfulness."""
