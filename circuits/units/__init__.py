"""Activations of heads and neurons, and edges at a finer grain."""
