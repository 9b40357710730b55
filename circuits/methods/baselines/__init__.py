"""Scores that know nothing of the behaviour."""

from circuitvar.circuits.methods.baselines.simple import activation_size, random_scores
from circuitvar.circuits.methods.baselines.weights import weight_norm

__all__ = ["activation_size", "random_scores", "weight_norm"]
