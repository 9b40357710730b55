"""Indices of agreement between sets and rankings: phi, Jaccard, RBO, rank correlation."""

from circuitvar.audit.indices.jaccard import (
    jaccard_of_resamples, jaccard_of_runs, jaccard_to, mean_chance, mean_pairwise,
    means_with_others, medoid, off_diagonal, overlaps, pairwise_cv, pairwise_jaccard,
    size_matched_jaccard, to_medoid,
)
from circuitvar.audit.indices.phi import (
    CLASSES, CORE, NOISE, classify, closed_form_variance, leave_one_run_out, pair_phi, phi,
    phi_difference, phi_from_counts, phi_of_resamples, phi_of_runs, phi_test, row_projections,
)
from circuitvar.audit.indices.rank import (
    auroc, average_precision, footrule_distance, kendall_distance, kendall_w, mean_spearman,
    mean_spearman_of_runs, midranks, rbo, spearman, tie_ranks, unit_ranks, weighted_auroc,
    weighted_average_precision, weighted_tau,
)
from circuitvar.circuits.overlap import (
    chance_jaccard, jaccard, kuncheva, overlap_coefficient, overlap_p_value, stratified_chance,
)

__all__ = [
    "CLASSES", "CORE", "NOISE", "auroc", "average_precision", "chance_jaccard", "classify",
    "closed_form_variance", "footrule_distance", "jaccard", "jaccard_of_resamples",
    "jaccard_of_runs", "jaccard_to", "kendall_distance", "kendall_w", "kuncheva",
    "leave_one_run_out", "mean_chance", "mean_pairwise", "mean_spearman", "mean_spearman_of_runs",
    "means_with_others", "medoid", "midranks", "off_diagonal", "overlap_coefficient",
    "overlap_p_value", "overlaps", "pair_phi", "pairwise_cv", "pairwise_jaccard", "phi",
    "phi_difference", "phi_from_counts", "phi_of_resamples", "phi_of_runs", "phi_test", "rbo",
    "row_projections", "size_matched_jaccard", "spearman", "stratified_chance", "tie_ranks",
    "to_medoid", "unit_ranks", "weighted_auroc", "weighted_average_precision", "weighted_tau",
]
