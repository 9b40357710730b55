"""The count repeated: retrained, pruned and rediscovered circuits, and their overlap."""

from circuitvar.audit.identifiability.reruns.capture_recapture import Richness, chao1
from circuitvar.audit.identifiability.reruns.degeneracy import compare_degeneracy
from circuitvar.audit.identifiability.reruns.noise_table import (
    found_circuit, noise_table, overlap_rows,
)

__all__ = [
    "Richness", "chao1", "compare_degeneracy", "found_circuit", "noise_table", "overlap_rows",
]
