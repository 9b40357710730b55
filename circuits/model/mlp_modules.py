"""Stand-ins for MLP modules: none at all, and GPT-2's with a faster activation."""

from typing import Any

import torch
import torch.nn.functional as F
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
        self.c_fc, self.c_proj = mlp.c_fc, mlp.c_proj

    def forward(self, x: Tensor) -> Tensor:
        """`c_proj(gelu(c_fc(x)))`."""
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))
