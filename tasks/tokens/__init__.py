"""From prompts to token batches, answers and metrics."""

from circuitvar.tasks.tokens.batching import PaddingSide, TokenRow, chunks, pack, take, to_device
from circuitvar.tasks.tokens.metrics import METRICS, accuracy, damage, flip, get_metric, kl
from circuitvar.tasks.tokens.pretokenized import pair_of_ids
from circuitvar.tasks.tokens.sampling import Reader, sample_batch
from circuitvar.tasks.tokens.tokens import Tokenized, TooFewUsable, tokenize

__all__ = [
    "METRICS", "PaddingSide", "Reader", "TokenRow", "Tokenized", "TooFewUsable", "accuracy",
    "chunks", "damage", "flip", "get_metric", "kl", "pack", "pair_of_ids", "sample_batch", "take",
    "to_device", "tokenize",
]
