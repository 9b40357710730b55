"""Concept sets with a guarantee, certificates, nulls."""
