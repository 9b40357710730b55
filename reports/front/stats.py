"""Statistics on plain numpy arrays: agreement of sets, intervals, tests, variance components."""

from circuitvar.audit.agreement import (
    Change, Selected, Wording, bootstrap_axis, bootstrap_change, halves_agreement, halves_axis,
    halves_change, match_heads, runs_axis, size_curve, template_change, with_block_interval,
    wording,
)
from circuitvar.audit.edges import (
    PromptClusters, adjusted_rand, bonferroni, centred_bootstrap, certified_circuit,
    cluster_prompts, compare_with_null, decision_table, edge_summary, false_discovery, forecast,
    inner_outer, max_t, phi_influence, r_concave, shuffled_edges, shuffled_within, sign_flipped,
    sign_test, structure_preserving, t_test, unimodal, worst_case,
)
from circuitvar.audit.indices import (
    auroc, average_precision, chance_jaccard, classify, footrule_distance, jaccard,
    jaccard_of_runs, kendall_distance, kendall_w, kuncheva, mean_chance, mean_spearman,
    mean_spearman_of_runs, medoid, overlap_coefficient, overlap_p_value, pairwise_jaccard, phi,
    phi_difference, phi_of_runs, phi_test, rbo, size_matched_jaccard, spearman,
    stratified_chance, weighted_tau,
)
from circuitvar.audit.intervals import (
    ResampleInterval, asymptotic_sequence, bca_means, bernoulli_sequence, betting_sequence,
    clopper_pearson, group_jackknife, interval_of_runs, ratio_of_means, share_estimate,
    stop_when_decided, t_interval,
)
from circuitvar.audit.resampling import (
    Resamples, RunSets, bayesian, bootstrap, complementary_halves, deletions, disjoint_blocks,
    half_samples, poisson, replicate_sets, stratified_bootstrap, template_means,
)
from circuitvar.audit.variance import (
    Components, FunctionalAnova, agreement_with_exact, component_estimate, component_interval,
    design_effect, functional_anova, ledger, moment_components, nested, two_way, within_between,
)
from circuitvar.circuits.find import top_n_masks
from circuitvar.circuits.multiplicity import holm

__all__ = [
    "Change", "Components", "FunctionalAnova", "PromptClusters", "ResampleInterval",
    "Resamples", "RunSets", "Selected", "Wording", "adjusted_rand", "agreement_with_exact",
    "asymptotic_sequence", "auroc", "average_precision", "bayesian", "bca_means",
    "bernoulli_sequence", "betting_sequence", "bonferroni", "bootstrap", "bootstrap_axis",
    "bootstrap_change", "centred_bootstrap", "certified_circuit", "chance_jaccard", "classify",
    "clopper_pearson", "cluster_prompts", "compare_with_null", "complementary_halves",
    "component_estimate", "component_interval", "decision_table", "deletions", "design_effect",
    "disjoint_blocks", "edge_summary", "false_discovery", "footrule_distance", "forecast",
    "functional_anova", "group_jackknife", "half_samples", "halves_agreement", "halves_axis",
    "halves_change", "holm", "inner_outer", "interval_of_runs", "jaccard", "jaccard_of_runs",
    "kendall_distance", "kendall_w", "kuncheva", "ledger", "match_heads", "max_t",
    "mean_chance", "mean_spearman", "mean_spearman_of_runs", "medoid", "moment_components",
    "nested", "overlap_coefficient", "overlap_p_value", "pairwise_jaccard", "phi",
    "phi_difference", "phi_influence", "phi_of_runs", "phi_test", "poisson", "r_concave",
    "ratio_of_means", "rbo", "replicate_sets", "runs_axis", "share_estimate", "shuffled_edges",
    "shuffled_within", "sign_flipped", "sign_test", "size_curve", "size_matched_jaccard",
    "spearman", "stop_when_decided", "stratified_bootstrap", "stratified_chance",
    "structure_preserving", "t_interval", "t_test", "template_change", "template_means",
    "top_n_masks", "two_way", "unimodal", "weighted_tau", "with_block_interval",
    "within_between", "wording", "worst_case",
]
