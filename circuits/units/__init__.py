"""Activations of heads and neurons, and edges at a finer grain."""

from circuitvar.circuits.units.edge_activations import edge_contributions
from circuitvar.circuits.units.granularity import neuron_scores, node_scores
from circuitvar.circuits.units.unit_activations import (
    head_outputs_along, metric_with_neurons, mlp_neurons, readout_attention,
)

__all__ = [
    "edge_contributions", "head_outputs_along", "metric_with_neurons", "mlp_neurons",
    "neuron_scores", "node_scores", "readout_attention",
]
