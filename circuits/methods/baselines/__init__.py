"""Scores that know nothing of the behaviour."""

from circuitvar.circuits.methods.baselines.activation import activation_size
from circuitvar.circuits.methods.baselines.random_scores import random_scores
from circuitvar.circuits.methods.baselines.weights import weight_norm

__all__ = ["activation_size", "random_scores", "weight_norm"]
