"""Boolean nets, the questions asked of them, and their training."""
