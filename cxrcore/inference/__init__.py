"""A trained run, loaded: predictions, logits, feature maps and the out-of-distribution score."""
