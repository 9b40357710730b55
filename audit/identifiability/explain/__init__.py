"""Interpretations, algorithms and mappings that fit a circuit."""
