"""From scores, or by search, to a circuit."""

from circuitvar.circuits.find.finders import FINDERS, get_finder, run_finder
from circuitvar.circuits.find.rules import RULES, select
from circuitvar.circuits.find.select import (
    circuit_from_mask, significant, strength, top_fraction, top_n, top_n_masks, top_set_circuit,
)
from circuitvar.circuits.find.select_connected import (
    MIB_FRACTIONS, smallest_connected, smallest_faithful,
)

__all__ = [
    "FINDERS", "MIB_FRACTIONS", "RULES", "circuit_from_mask", "get_finder", "run_finder", "select",
    "significant", "smallest_connected", "smallest_faithful", "strength", "top_fraction", "top_n",
    "top_n_masks", "top_set_circuit",
]
