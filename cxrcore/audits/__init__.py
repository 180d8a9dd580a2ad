"""Audits of a dataset or a trained run: what could mislead a model."""
