"""Models with hand-set weights, whose true circuits and exact effects are known in closed form."""
