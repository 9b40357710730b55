"""The linear maps and the activation inside an MLP, whatever its family calls them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from circuitvar.circuits.model.architecture import TanhGeluMLP


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
        if all(hasattr(mlp, name) for name in (into, out, *([gate] if gate else []))):
            function = getattr(mlp, act, None)
            if isinstance(mlp, TanhGeluMLP):
                function = _tanh_gelu
            if function is not None:
                found = getattr(mlp, gate) if gate else None
                return MLPParts(getattr(mlp, into), found, function, getattr(mlp, out))
    raise ValueError(
        f"{type(mlp).__name__} is neither a two-layer nor a gated MLP, so methods that look inside "
        "MLPs are not defined for it; use 'eap' or 'exact'."
    )


def _tanh_gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")
