"""Units and concepts taken from a model that is run."""

from circuitvar.audit.neurons.on_models.adapters import (
    align_columns, live_units, neuron_probing_set, substitution_scores,
)

__all__ = ["align_columns", "live_units", "neuron_probing_set", "substitution_scores"]
