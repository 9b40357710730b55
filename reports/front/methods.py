"""The parts of an attribution method, for writing another one.

A method is a function `(model, batch, *, metric, options)` to scores `[example, edge]`; positive
means that patching the edge damages the behaviour. `Method` says what a reader must know of it.
"""

from circuitvar.circuits.gradients import (
    PathGradients, Point, check_differentiable, corrupt_run, differentiate, edge_scores,
    patch_values, plain_run, point, role_mask, window_of,
)
from circuitvar.circuits.methods.catalog import METHODS, get_method
from circuitvar.circuits.methods.gradient import (
    atp_star, clean_corrupted, eap, eap_ig_activations, eap_ig_inputs, relp,
)
from circuitvar.circuits.methods.patching import exact
from circuitvar.circuits.model import Trace, Writes, writes
from circuitvar.circuits.types import Finder, Method, ScoreOptions

__all__ = [
    "Finder", "METHODS", "Method", "PathGradients", "Point", "ScoreOptions", "Trace", "Writes",
    "atp_star", "check_differentiable", "clean_corrupted", "corrupt_run", "differentiate", "eap",
    "eap_ig_activations", "eap_ig_inputs", "edge_scores", "exact", "get_method", "patch_values",
    "plain_run", "point", "relp", "role_mask", "window_of", "writes",
]
