"""Score edges per example; keep the matrix on disk."""

from circuitvar.circuits.scores.behaviour import Behaviour, measure_behaviour, require_behaviour
from circuitvar.circuits.scores.code_digest import code_digest
from circuitvar.circuits.scores.probe import Probe, probe_method
from circuitvar.circuits.scores.score import check, chunk_size, data_digest, score_edges
from circuitvar.circuits.scores.score_files import read_scores, write_scores
from circuitvar.circuits.scores.score_store import score_edges_stored
from circuitvar.circuits.scores.tensor_files import write_tensors

__all__ = [
    "Behaviour", "Probe", "check", "chunk_size", "code_digest", "data_digest", "measure_behaviour",
    "probe_method", "read_scores", "require_behaviour", "score_edges", "score_edges_stored",
    "write_scores", "write_tensors",
]
