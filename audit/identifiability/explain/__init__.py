"""Interpretations, algorithms and mappings that fit a circuit."""

from circuitvar.audit.identifiability.explain.algorithms import list_algorithms
from circuitvar.audit.identifiability.explain.interpretations import count_interpretations
from circuitvar.audit.identifiability.explain.mappings import Swaps, minimal_mappings

__all__ = ["Swaps", "count_interpretations", "list_algorithms", "minimal_mappings"]
