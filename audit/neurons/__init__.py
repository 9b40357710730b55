"""Neuron explanations: concept labels and linear explanations, with bootstrap sets."""
