"""`design` from names to a folder."""
