"""Weights of probing examples and the votes of bootstrap replicates."""
