"""What a neuron audit reads: units, concepts, probing sets, label files."""

from circuitvar.audit.neurons.data.array_files import open_array
from circuitvar.audit.neurons.data.label_files import COLUMNS, READERS, label_columns
from circuitvar.audit.neurons.data.probing_set import (
    as_numpy, probing_set, take_concepts, take_samples, take_units, unit_chunks,
)
from circuitvar.audit.neurons.data.token_concepts import TokenConcepts, token_concepts
from circuitvar.audit.neurons.data.types import (
    AliasClasses, ConceptSets, Moments, NeuronAudit, ProbingSet, Similarity, Votes,
)

__all__ = [
    "AliasClasses", "COLUMNS", "ConceptSets", "Moments", "NeuronAudit", "ProbingSet", "READERS",
    "Similarity", "TokenConcepts", "Votes", "as_numpy", "label_columns", "open_array",
    "probing_set", "take_concepts", "take_samples", "take_units", "token_concepts", "unit_chunks",
]
