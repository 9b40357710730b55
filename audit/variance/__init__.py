"""Variance components, the ledger, and the distance from exact patching."""
