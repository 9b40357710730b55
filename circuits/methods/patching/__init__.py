"""Exact patching of edges and nodes."""

from circuitvar.circuits.methods.patching.exact import (
    Patching, exact, exact_node, node_damage, prepare, scores_of,
)
from circuitvar.circuits.methods.patching.rerun import perturbed_z

__all__ = ["Patching", "exact", "exact_node", "node_damage", "perturbed_z", "prepare", "scores_of"]
