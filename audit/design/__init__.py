"""Crossed perturbation designs: facets, plans, runs, and what their variance says."""
