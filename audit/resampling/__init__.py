"""Weights over examples, and the edge sets of weighted scores."""
