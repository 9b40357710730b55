"""Recompute a report from its stored scores."""
