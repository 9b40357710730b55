"""What all gradient methods share: one differentiated run and its contraction to edges."""

from circuitvar.circuits.gradients.edge_products import PathGradients, add, contract, frozen
from circuitvar.circuits.gradients.gradient_scores import (
    Point, check_differentiable, clean_logits, corrupt_run, differentiate, edge_scores, metric_of,
    patch_values, plain_run, point, role_mask, window_of,
)

__all__ = [
    "PathGradients", "Point", "add", "check_differentiable", "clean_logits", "contract",
    "corrupt_run", "differentiate", "edge_scores", "frozen", "metric_of", "patch_values",
    "plain_run", "point", "role_mask", "window_of",
]
