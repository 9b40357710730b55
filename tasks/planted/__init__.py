"""Models with hand-set weights, whose true circuits and exact effects are known in closed form."""

from circuitvar.tasks.planted.catalog import PLANTED, PLANTED_TASKS, get_planted
from circuitvar.tasks.planted.gpt2 import build_gpt2, word_tokenizer
from circuitvar.tasks.planted.noise import draw_effects

__all__ = [
    "PLANTED", "PLANTED_TASKS", "build_gpt2", "draw_effects", "get_planted", "word_tokenizer",
]
