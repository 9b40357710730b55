"""Pocket models: small GPT-2-architecture checkpoints that do all pocket tasks, offline."""
