"""What all gradient methods share: one differentiated run and its contraction to edges."""

from circuitvar.circuits.gradients.edge_products import PathGradients, add, contract, frozen
from circuitvar.circuits.gradients.gradient_scores import (
    Attribution, Point, check_differentiable, corrupt_run, differentiate, edge_scores,
    edges_of_pairs, metric_of, patch_values, plain_run, point, reference_logits, role_mask,
    window_of,
)

__all__ = [
    "Attribution", "PathGradients", "Point", "add", "check_differentiable", "contract",
    "corrupt_run", "differentiate", "edge_scores", "edges_of_pairs", "frozen", "metric_of",
    "patch_values", "plain_run", "point", "reference_logits", "role_mask", "window_of",
]
