"""Backbones, their weights, and the activations they give, computed once and kept."""
