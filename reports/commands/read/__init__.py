"""Commands that list, read or compare."""
