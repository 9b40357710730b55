"""`score`, `find`, `evaluate`, `test`, `published` from names to folders and page sections."""
