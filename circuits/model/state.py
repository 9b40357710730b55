"""The state a model must be in at every run: evaluation mode, and no hooks that would not act."""

from collections.abc import Iterable, Sequence
from typing import Any

from torch import nn


def check_state(
    base: nn.Module,
    blocks: Iterable[nn.Module],
    projections: Iterable[nn.Module],
    unembed: nn.Module,
    points: Sequence[Any],
) -> None:
    """Refuse training mode, and hooks on what a run here does not call.

    These are decoder layers, their attention modules (the parents of `projections`, one of each
    layer), the unembedding, and the `points` of a bridge. Projections, norms and MLPs are called,
    and hooks on them act.

    Raises
    ------
    ValueError
        Says what to do; of a hook, where it is.
    """
    if any(module.training for module in base.modules()):
        raise ValueError(
            "the model is in training mode, in which dropout changes its numbers from run to run; "
            "call `.eval()` on the Hugging Face model before it is scored or run"
        )
    for block, inside in zip(blocks, projections, strict=True):
        attention = [part for part in block.children() if inside in part.children()]
        for module in (block, *attention, unembed):
            if _hooked(module):
                raise _idle(type(module).__name__)
    for point in points:
        if point.fwd_hooks or point.bwd_hooks or _hooked(point):
            raise _idle(f"{point.name} of the TransformerLens bridge")


def _hooked(module: Any) -> bool:
    """Whether somebody set a hook; transformers leaves its own, which record and change nothing."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    hooks = [hook for kind in kinds for hook in getattr(module, kind).values()]
    return any(
        not str(getattr(hook, "__module__", "")).startswith("transformers.") for hook in hooks
    )


def _idle(where: str) -> ValueError:
    return ValueError(
        f"a hook is set on {where}, which scores and runs of circuits do not call, so it would "
        "have no effect; remove it, or set it on a projection, norm or MLP of the model"
    )
