"""Units and concepts taken from a model that is run."""
