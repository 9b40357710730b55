"""One edge at a time: means, tests, certificates, influence, forecasts."""

from circuitvar.audit.edges.certificates import certified_circuit
from circuitvar.audit.edges.edge_summary import decision_table, edge_summary, mean_se, sign_test
from circuitvar.audit.edges.edge_table import edge_table
from circuitvar.audit.edges.edge_tests import bonferroni, inner_outer, max_t, t_test
from circuitvar.audit.edges.forecast import forecast, observed_points
from circuitvar.audit.edges.influence import phi_influence
from circuitvar.audit.edges.null_models import (
    SIGNAL_DESTROYING, centred_bootstrap, compare_with_null, shuffled_edges, shuffled_within,
    sign_flipped, structure_preserving,
)
from circuitvar.audit.edges.prompt_clusters import PromptClusters, adjusted_rand, cluster_prompts
from circuitvar.audit.edges.stability_selection import r_concave, unimodal, worst_case
from circuitvar.circuits.multiplicity import false_discovery

__all__ = [
    "PromptClusters", "SIGNAL_DESTROYING", "adjusted_rand", "bonferroni", "centred_bootstrap",
    "certified_circuit", "cluster_prompts", "compare_with_null", "decision_table", "edge_summary",
    "edge_table", "false_discovery", "forecast", "inner_outer", "max_t", "mean_se",
    "observed_points", "phi_influence", "r_concave", "shuffled_edges", "shuffled_within",
    "sign_flipped", "sign_test", "structure_preserving", "t_test", "unimodal", "worst_case",
]
