"""Indices of agreement between sets and rankings: phi, Jaccard, RBO, rank correlation."""
