"""The attribution methods, one file each, and their catalogue."""
