"""Similarity of a unit and a concept, its bounds and its resampled values."""

from circuitvar.audit.neurons.similarity.bounds import (
    auroc_half_width, clustered_ratio_half_width, denominators, dkw_term, hoeffding_half_width,
    similarity_interval,
)
from circuitvar.audit.neurons.similarity.cluster_resampling import (
    ConceptOptions, WeightRows, cluster_weights, concept_prompts, weight_rows,
)
from circuitvar.audit.neurons.similarity.cluster_sums import (
    ClusterSums, Columns, REPLICATE_BLOCK, active_rows, activity, chunk_size, cluster_sums,
    concept_columns, sample_moments, weighted_moments,
)
from circuitvar.audit.neurons.similarity.metric_self_check import metric_self_check
from circuitvar.audit.neurons.similarity.similarity import (
    auroc_influence, rank_scores, require_binary, similarity,
)
from circuitvar.audit.neurons.similarity.similarity_metrics import (
    DEFAULT_RANKING, get_similarity, pearson, similarity_table,
)

__all__ = [
    "ClusterSums", "Columns", "ConceptOptions", "DEFAULT_RANKING", "REPLICATE_BLOCK", "WeightRows",
    "active_rows", "activity", "auroc_half_width", "auroc_influence", "chunk_size", "cluster_sums",
    "cluster_weights", "clustered_ratio_half_width", "concept_columns", "concept_prompts",
    "denominators", "dkw_term", "get_similarity", "hoeffding_half_width", "metric_self_check",
    "pearson", "rank_scores", "require_binary", "sample_moments", "similarity",
    "similarity_interval", "similarity_table", "weight_rows", "weighted_moments",
]
