"""Indices of agreement between sets and rankings: phi, Jaccard, RBO, rank correlation."""

from circuitvar.audit.indices.inclusion import CLASSES, CORE, NOISE, classify, clopper_pearson
from circuitvar.audit.indices.jaccard import (
    jaccard_of_resamples, jaccard_of_runs, jaccard_to, mean_chance, mean_pairwise, off_diagonal,
    overlaps, pairwise_cv, pairwise_jaccard, size_matched_jaccard, stratified_chance,
)
from circuitvar.audit.indices.median_circuit import to_median
from circuitvar.audit.indices.phi import (
    closed_form_variance, leave_one_run_out, pair_phi, phi, phi_from_counts, phi_of_resamples,
    phi_of_runs, row_projections,
)
from circuitvar.audit.indices.phi_tests import phi_difference, phi_test
from circuitvar.audit.indices.rank import (
    mean_spearman, mean_spearman_of_runs, spearman, weighted_tau,
)
from circuitvar.audit.indices.rbo import rbo
from circuitvar.audit.indices.recovery import auroc, average_precision
from circuitvar.audit.indices.set_indices import jaccard, overlap_coefficient, overlap_p_value

__all__ = [
    "CLASSES", "CORE", "NOISE", "auroc", "average_precision", "classify", "clopper_pearson",
    "closed_form_variance", "jaccard", "jaccard_of_resamples", "jaccard_of_runs", "jaccard_to",
    "leave_one_run_out", "mean_chance", "mean_pairwise", "mean_spearman", "mean_spearman_of_runs",
    "off_diagonal", "overlap_coefficient", "overlap_p_value", "overlaps", "pair_phi", "pairwise_cv",
    "pairwise_jaccard", "phi", "phi_difference", "phi_from_counts", "phi_of_resamples",
    "phi_of_runs", "phi_test", "rbo", "row_projections", "size_matched_jaccard", "spearman",
    "stratified_chance", "to_median", "weighted_tau",
]
