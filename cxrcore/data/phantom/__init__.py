"""Synthetic chest radiographs with a known truth: who is ill, where the lungs and the lesions are."""
