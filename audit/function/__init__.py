"""What circuits do when they are run, and whether different ones do the same."""
