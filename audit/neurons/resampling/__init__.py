"""Votes of bootstrap replicates, and blocks of units in parallel."""

from circuitvar.audit.neurons.resampling.bootstrap_votes import (
    Members, VoteCount, bootstrap_votes, class_scores, effective_concepts, replicate_scores,
    vote_share_error, winner_ranks,
)
from circuitvar.audit.neurons.resampling.unit_blocks import map_unit_blocks

__all__ = [
    "Members", "VoteCount", "bootstrap_votes", "class_scores", "effective_concepts",
    "map_unit_blocks", "replicate_scores", "vote_share_error", "winner_ranks",
]
