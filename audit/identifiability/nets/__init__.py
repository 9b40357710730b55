"""Boolean nets, the questions asked of them, and their training."""

from circuitvar.audit.identifiability.nets.boolean_net import (
    BooleanNet, activations, edge_names, layer_masks, leaky, run_circuits, run_from, split_outputs,
)
from circuitvar.audit.identifiability.nets.question import Question, is_valid, pose
from circuitvar.audit.identifiability.nets.space import (
    Distribution, MAX_EDGES, all_topologies, by_edges, count_topologies, draw_topologies, in_space,
    is_topology, topologies_by_size,
)
from circuitvar.audit.identifiability.nets.train import Recipe, TrainedNet, train_nets
from circuitvar.audit.identifiability.nets.types import (
    Count, Criterion, ESTIMATORS, Estimator, NET_ABLATIONS, NetAblation, SPACES, Space,
)

__all__ = [
    "BooleanNet", "Count", "Criterion", "Distribution", "ESTIMATORS", "Estimator", "MAX_EDGES",
    "NET_ABLATIONS", "NetAblation", "Question", "Recipe", "SPACES", "Space", "TrainedNet",
    "activations", "all_topologies", "by_edges", "count_topologies", "draw_topologies",
    "edge_names", "in_space", "is_topology", "is_valid", "layer_masks", "leaky", "pose",
    "run_circuits", "run_from", "split_outputs", "topologies_by_size", "train_nets",
]
