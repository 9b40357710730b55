"""From a probing set to an audit of neurons or labels."""

from circuitvar.audit.neurons.run.audit_labels import audit_labels
from circuitvar.audit.neurons.run.audit_neurons import (
    NeuronOptions, VERDICTS, audit_neurons, distinct_concepts,
)

__all__ = ["NeuronOptions", "VERDICTS", "audit_labels", "audit_neurons", "distinct_concepts"]
