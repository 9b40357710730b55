"""Pocket models: small GPT-2-architecture checkpoints that do all pocket tasks, offline."""

from circuitvar.tasks.pocket.paths import SEEDS, pocket_path

__all__ = ["SEEDS", "pocket_path"]
