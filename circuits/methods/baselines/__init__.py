"""Scores that know nothing of the behaviour."""
