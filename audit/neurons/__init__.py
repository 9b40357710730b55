"""Neuron explanations with bootstrap sets: concept labels and linear explanations."""
