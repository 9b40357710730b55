"""Weights and architecture of a model, and one forward pass through them."""

from circuitvar.circuits.model.architecture import (
    Architecture, Context, FAMILIES, Layer, describe, destination_weights, enter,
    head_output_weights, position_ids, project, split_heads, weight_matrix,
)
from circuitvar.circuits.model.attention import (
    attend, mix, query_context, rotated_key, rotated_query,
)
from circuitvar.circuits.model.attention_only import (
    HUB_NAMES, is_attention_only, load_attention_only,
)
from circuitvar.circuits.model.corrupted import (
    corrupt_embeddings, corrupt_means, corrupt_trace, first_change,
)
from circuitvar.circuits.model.mlp import MLPParts, NoMLP, mlp_parts
from circuitvar.circuits.model.model import DTYPES, Model
from circuitvar.circuits.model.norm_forms import (
    FrozenNorm, NormForm, norm_form, normalise, pull_back, wide,
)
from circuitvar.circuits.model.sources import Writes, differences, output_weights, spread, writes
from circuitvar.circuits.model.trunk import (
    LOGIT_TOLERANCE, LayerTrace, Trace, at_last, check_logits, logit_residual, logits_at,
    max_positions, metric_at, post_norm, run, run_embeddings, run_layer, run_mlp, run_tokens,
)

__all__ = [
    "Architecture", "Context", "DTYPES", "FAMILIES", "FrozenNorm", "HUB_NAMES", "LOGIT_TOLERANCE",
    "Layer", "LayerTrace", "MLPParts", "Model", "NoMLP", "NormForm", "Trace", "Writes", "at_last",
    "attend", "check_logits", "corrupt_embeddings", "corrupt_means", "corrupt_trace", "describe",
    "destination_weights", "differences", "enter", "first_change", "head_output_weights",
    "is_attention_only", "load_attention_only", "logit_residual", "logits_at", "max_positions",
    "metric_at", "mix", "mlp_parts", "norm_form", "normalise", "output_weights", "position_ids",
    "post_norm", "project", "pull_back", "query_context", "rotated_key", "rotated_query", "run",
    "run_embeddings", "run_layer", "run_mlp", "run_tokens", "split_heads", "spread",
    "weight_matrix", "wide", "writes",
]
