"""Audits of neuron explanations: concept labels and linear explanations, with their stability."""

from circuitvar.audit.neurons.data import (
    NeuronAudit, ProbingSet, TokenConcepts, Votes, probing_set, take_samples, take_units,
    token_concepts,
)
from circuitvar.audit.neurons.run import (
    NeuronOptions, audit_labels, audit_neurons, distinct_concepts,
)
from circuitvar.audit.neurons.linear import (
    LinearExplanations, LinearOptions, elastic_net, explanation_text, greedy_refit,
    inclusion_frequency, linear_explanations, linear_table, simulate,
)
from circuitvar.audit.neurons.on_models import live_units, neuron_probing_set
from circuitvar.audit.neurons.resampling import bootstrap_votes, effective_concepts
from circuitvar.audit.neurons.sets import (
    alias_classes, conformal_set, interval_set, maxt_set, null_best, vote_set,
)
from circuitvar.audit.neurons.similarity import (
    ConceptOptions, auroc_half_width, cluster_weights, clustered_ratio_half_width, dkw_term,
    hoeffding_half_width,
    metric_self_check, similarity, similarity_interval, similarity_table,
)
from circuitvar.audit.neurons.views import (
    OtherData, PerturbationOptions, composition_table, error_curve, perturbation_tables,
    polysemantic, range_map,
)
from circuitvar.reports.neurons import run_neurons
from circuitvar.reports.options import NeuronChoice

__all__ = [
    "ConceptOptions", "LinearExplanations", "LinearOptions", "NeuronAudit", "NeuronChoice",
    "NeuronOptions", "OtherData", "PerturbationOptions", "ProbingSet", "TokenConcepts", "Votes",
    "alias_classes", "audit_labels", "audit_neurons", "auroc_half_width", "bootstrap_votes",
    "cluster_weights", "clustered_ratio_half_width", "composition_table", "conformal_set",
    "distinct_concepts", "dkw_term", "effective_concepts", "elastic_net", "error_curve",
    "explanation_text", "greedy_refit", "hoeffding_half_width", "inclusion_frequency",
    "interval_set", "linear_explanations", "linear_table", "live_units", "maxt_set",
    "metric_self_check", "neuron_probing_set", "null_best", "perturbation_tables", "polysemantic",
    "probing_set", "range_map", "run_neurons", "similarity", "similarity_interval",
    "similarity_table", "simulate", "take_samples", "take_units", "token_concepts", "vote_set",
]
