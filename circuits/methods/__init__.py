"""The attribution methods and their catalogue."""
