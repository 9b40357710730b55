"""Exact and estimated numbers of valid circuits of a Boolean net."""

from circuitvar.audit.identifiability.count.count_valid import count_valid
from circuitvar.audit.identifiability.count.estimate_valid import (
    estimate_of_share, estimate_valid, wilson,
)
from circuitvar.audit.identifiability.count.estimators import (
    EXACT_WIDTH, NetOptions, check_options, count_by, resolve,
)
from circuitvar.audit.identifiability.count.list_valid import (
    count_minimal, inclusion_minimal, list_valid, only_in_space,
)
from circuitvar.audit.identifiability.count.sample_valid import (
    Overlap, edge_marginals, overlap_of, pairwise_jaccard, sample_valid,
)
from circuitvar.audit.identifiability.count.strict_valid import (
    estimate_strict, interchange_agreement, is_strict, list_strict,
)

__all__ = [
    "EXACT_WIDTH", "NetOptions", "Overlap", "check_options",
    "count_by", "count_minimal", "count_valid", "edge_marginals", "estimate_of_share",
    "estimate_strict", "estimate_valid", "inclusion_minimal", "interchange_agreement", "is_strict",
    "list_strict", "list_valid", "only_in_space", "overlap_of", "pairwise_jaccard",
    "resolve", "sample_valid", "wilson",
]
