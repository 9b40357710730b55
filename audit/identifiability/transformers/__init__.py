"""Rival circuits of a transformer: search over masks."""
