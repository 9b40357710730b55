"""Run a circuit: everything outside it ablated."""

from circuitvar.circuits.run.ablated_run import (
    Constants, check_ablation, examples_at_once, mean_constants, prepare,
)
from circuitvar.circuits.run.kept_runs import run_in_items
from circuitvar.circuits.run.run_circuit import (
    circuit_scores, final_streams, needed_sources, streams_of,
)
from circuitvar.circuits.run.soft_run import soft_final_stream

__all__ = [
    "Constants", "check_ablation", "circuit_scores", "examples_at_once", "final_streams",
    "mean_constants", "needed_sources", "prepare", "run_in_items", "soft_final_stream",
    "streams_of",
]
