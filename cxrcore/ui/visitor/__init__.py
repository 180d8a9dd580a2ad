"""Visitors of a server: sign-in, roles, the hosts and origins that are accepted, predictions for other programs."""
