"""`audit` from names to a folder."""
