"""Weights and architecture of a model, and one forward pass through them."""
