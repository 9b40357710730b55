"""`neurons` from names to a folder and a page section."""
