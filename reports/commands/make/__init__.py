"""Commands that run a model and write a folder."""
