"""Weights over examples, and the edge sets of weighted scores."""

from circuitvar.audit.resampling.replicate_sets import (
    RunSets, Scores, Selector, Whole, pack, replicate_sets,
)
from circuitvar.audit.resampling.ties import require_scores, tied_at_cut, with_ties
from circuitvar.audit.resampling.weights import (
    Resamples, bayesian, bootstrap, columns, complementary_halves, deletions, disjoint_blocks,
    from_counts, half_samples, membership, poisson, stratified_bootstrap, template_means,
    weighted_sums,
)

__all__ = [
    "Resamples", "RunSets", "Scores", "Selector", "Whole", "bayesian", "bootstrap", "columns",
    "complementary_halves", "deletions", "disjoint_blocks", "from_counts", "half_samples",
    "membership", "pack", "poisson", "replicate_sets", "require_scores", "stratified_bootstrap",
    "template_means", "tied_at_cut", "weighted_sums", "with_ties",
]
