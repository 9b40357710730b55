"""Similarity of a unit and a concept, its bounds and its resampled values."""
