"""From a probing set to an audit of neurons or labels."""

from circuitvar.audit.neurons.front.audit_neurons import (
    NeuronOptions, VERDICTS, audit_neurons, distinct_concepts,
)
from circuitvar.audit.neurons.front.label_audit import audit_labels

__all__ = ["NeuronOptions", "VERDICTS", "audit_labels", "audit_neurons", "distinct_concepts"]
