"""Score edges per example; keep the matrix on disk."""

from circuitvar.circuits.scores.behaviour import Behaviour, measure_behaviour, require_behaviour
from circuitvar.circuits.scores.probe import Probe, probe_method
from circuitvar.circuits.scores.score import check, chunk_size, score_edges
from circuitvar.circuits.scores.score_files import read_scores, write_scores
from circuitvar.circuits.scores.tensor_files import write_tensors

__all__ = [
    "Behaviour", "Probe", "check", "chunk_size", "measure_behaviour", "probe_method", "read_scores",
    "require_behaviour", "score_edges", "write_scores", "write_tensors",
]
