"""How many circuits, interpretations, algorithms and mappings fit equally well."""

from circuitvar.audit.identifiability.reruns import Richness, chao1, compare_degeneracy, noise_table
from circuitvar.audit.identifiability.count import (
    NetOptions, Overlap, count_by, count_minimal, count_valid, edge_marginals, estimate_strict,
    estimate_valid, inclusion_minimal, interchange_agreement, list_strict, list_valid,
    pairwise_jaccard, sample_valid,
)
from circuitvar.audit.identifiability.explain import (
    Swaps, count_interpretations, list_algorithms, minimal_mappings,
)
from circuitvar.audit.identifiability.tables import Frames, net_tables, summarize_counts
from circuitvar.audit.identifiability.nets import (
    BooleanNet, Count, Criterion, Question, Recipe, TrainedNet, count_topologies, draw_topologies,
    is_valid, pose, run_circuits, train_nets,
)
from circuitvar.audit.identifiability.transformers import MaskSearch, find_rivals, search_masks
from circuitvar.reports.identify import ModelOptions, run_identify, run_identify_model

__all__ = [
    "BooleanNet", "Count", "Criterion", "Frames", "MaskSearch", "ModelOptions", "NetOptions",
    "Overlap", "Question", "Recipe", "Richness", "Swaps", "TrainedNet", "chao1",
    "compare_degeneracy", "count_by", "count_interpretations", "count_minimal", "count_topologies",
    "count_valid", "draw_topologies", "edge_marginals", "estimate_strict", "estimate_valid",
    "find_rivals", "inclusion_minimal", "interchange_agreement", "is_valid", "list_algorithms",
    "list_strict", "list_valid", "minimal_mappings", "net_tables", "noise_table",
    "pairwise_jaccard", "pose", "run_circuits", "run_identify", "run_identify_model",
    "sample_valid", "search_masks", "summarize_counts", "train_nets",
]
