"""Weights of probing examples and the votes of bootstrap replicates."""

from circuitvar.audit.neurons.resampling.bootstrap_votes import (
    Members, VoteCount, bootstrap_votes, class_scores, effective_concepts, replicate_scores,
    vote_share_error, winner_ranks,
)
from circuitvar.audit.neurons.resampling.unit_blocks import map_unit_blocks
from circuitvar.audit.neurons.resampling.weight_rows import WeightRows, weight_rows

__all__ = [
    "Members", "VoteCount", "WeightRows", "bootstrap_votes", "class_scores", "effective_concepts",
    "map_unit_blocks", "replicate_scores", "vote_share_error", "weight_rows", "winner_ranks",
]
