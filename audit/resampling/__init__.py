"""Weights over examples, and the edge sets of weighted scores."""

from circuitvar.audit.resampling.replicate_sets import (
    RunSets, Selector, pack, replicate_sets, top_k_masks,
)
from circuitvar.audit.resampling.ties import require_scores, tied_at_cut, with_ties
from circuitvar.audit.resampling.weights import (
    Resamples, bootstrap, complementary_halves, deletions, disjoint_blocks, from_counts,
    template_means,
)

__all__ = [
    "Resamples", "RunSets", "Selector", "bootstrap", "complementary_halves", "deletions",
    "disjoint_blocks", "from_counts", "pack", "replicate_sets", "require_scores", "template_means",
    "tied_at_cut", "top_k_masks", "with_ties",
]
