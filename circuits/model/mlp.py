"""MLPs: stand-ins (none at all, GPT-2's with a faster activation), and the parts of any of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


class NoMLP(nn.Module):
    """Stands for a missing MLP in hand-set attention-only GPT-2 models: adds nothing."""

    def __init__(self) -> None:
        super().__init__()
        # Named parts that the TransformerLens bridge of GPT-2 looks for; never run.
        self.c_fc, self.c_proj = nn.Identity(), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Zeros."""
        return torch.zeros_like(x)


class TanhGeluMLP(nn.Module):
    """GPT-2's MLP with its activation as one kernel: the same function, half the time on a CPU.

    Hugging Face's `gelu_new` is the tanh approximation written as eight elementwise steps.
    """

    def __init__(self, mlp: Any) -> None:
        super().__init__()
        self.c_fc, self.act, self.c_proj = mlp.c_fc, nn.GELU("tanh"), mlp.c_proj

    def forward(self, x: Tensor) -> Tensor:
        """`c_proj(act(c_fc(x)))`."""
        return self.c_proj(self.act(self.c_fc(x)))


@dataclass(frozen=True, eq=False)
class MLPParts:
    """out(act(into(x))), or out(act(gate(x)) * into(x)) when there is a gate."""

    into: nn.Module
    gate: nn.Module | None
    act: Callable[[Tensor], Tensor]
    out: nn.Module


_NAMES = (
    ("c_fc", None, "act", "c_proj"),
    ("dense_h_to_4h", None, "act", "dense_4h_to_h"),
    ("up_proj", "gate_proj", "act_fn", "down_proj"),
)


def mlp_parts(mlp: nn.Module) -> MLPParts:
    """Take an MLP apart.

    Raises
    ------
    ValueError
        The MLP is of no known form.
    """
    for into, gate, act, out in _NAMES:
        if all(hasattr(mlp, name) for name in (into, act, out, *([gate] if gate else []))):
            found = getattr(mlp, gate) if gate else None
            return MLPParts(getattr(mlp, into), found, getattr(mlp, act), getattr(mlp, out))
    raise ValueError(
        f"{type(mlp).__name__} is neither a two-layer nor a gated MLP, so methods that look inside "
        "MLPs are not defined for it; use 'eap' or 'exact'."
    )
