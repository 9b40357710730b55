"""Units and concepts taken from a model that is run."""

from circuitvar.audit.neurons.on_models.adapters import (
    align_columns, live_units, named_direction, neuron_probing_set, substitution_scores,
    token_probing_set,
)

__all__ = [
    "align_columns", "live_units", "named_direction", "neuron_probing_set", "substitution_scores",
    "token_probing_set",
]
