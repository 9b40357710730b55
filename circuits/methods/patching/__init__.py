"""Exact patching of edges and nodes."""
