"""Units and concepts taken from a model that is run."""

from circuitvar.audit.neurons.on_models.adapters import (
    align_columns, attention_probing_set, edge_probing_set, head_output_probing_set, live_units,
    named_direction, neuron_probing_set, substitution_scores,
)

__all__ = [
    "align_columns", "attention_probing_set", "edge_probing_set", "head_output_probing_set",
    "live_units", "named_direction", "neuron_probing_set", "substitution_scores",
]
