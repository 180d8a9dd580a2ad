"""Audits: what could mislead a model, in a dataset or in a trained run."""
