"""Norms as formulas: y = gamma * (x - mean) * r + beta, with r the reciprocal scale of the input.

The fast path pulls gradients back through a norm in closed form, and shares a post-norm among
heads at the scale of a run. A module is taken for LayerNorm or RMSNorm only after it behaved so
on a probe; anything else is differentiated by autograd.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class NormForm:
    """What a norm computes. `other`: no closed form is known."""

    kind: Literal["layer", "rms", "identity", "other"]
    module: nn.Module
    gamma: Float[Tensor, " d_model"]
    beta: Float[Tensor, " d_model"] | None
    eps: float
    frozen: bool = False
    """True when the scale counts as a constant under differentiation."""

    @property
    def centred(self) -> bool:
        """Whether the mean is subtracted."""
        return self.kind == "layer"


class FrozenNorm(nn.Module):
    """A norm whose scale is a constant under differentiation; the output is the same."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """The norm of `x`, its scale held constant."""
        form = norm_form(self.inner, x.shape[-1], x)
        if form.kind == "identity":
            return x
        if form.kind == "other":
            raise ValueError(
                f"{type(self.inner).__name__} is neither LayerNorm nor RMSNorm, so its scale "
                "cannot be held constant."
            )
        centre = wide(x)
        r = normalise(form, centre.detach())[1]
        centre = centre - centre.mean(-1, keepdim=True) if form.centred else centre
        y = centre * r * form.gamma
        return (y if form.beta is None else y + form.beta).to(x.dtype)


def wide(x: Tensor) -> Tensor:
    """Numbers in float32 at least."""
    return x if x.dtype == torch.float64 else x.float()


def norm_form(module: nn.Module, d_model: int, like: Tensor) -> NormForm:
    """Recognise a norm. `like` gives the device; formulas are held in float32 at least."""
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    ones = torch.ones(d_model, dtype=dtype, device=like.device)
    if isinstance(module, FrozenNorm):
        return replace(norm_form(module.inner, d_model, like), module=module, frozen=True)
    if isinstance(module, nn.Identity):
        return NormForm("identity", module, ones, None, 0.0)
    eps = getattr(module, "eps", getattr(module, "variance_epsilon", None))
    if isinstance(module, nn.LayerNorm) and module.normalized_shape == (d_model,):
        gamma = ones if module.weight is None else module.weight.detach().to(dtype)
        beta = None if module.bias is None else module.bias.detach().to(dtype)
        return NormForm("layer", module, gamma, beta, module.eps)
    if type(module).__name__.endswith("RMSNorm") and isinstance(eps, float):
        with torch.no_grad():
            gamma = module(ones.to(like.dtype)).to(dtype) * (1.0 + eps) ** 0.5
            form = NormForm("rms", module, gamma, None, eps)
            probe = torch.linspace(-1.0, 2.0, d_model, dtype=dtype, device=like.device)
            unit, _ = normalise(form, probe)
            actual = module(probe.to(like.dtype)).to(dtype)
        tolerance = 1e-4 if like.dtype in (torch.float32, torch.float64) else 2e-2
        if torch.allclose(unit * gamma, actual, rtol=tolerance, atol=tolerance):
            return form
    return NormForm("other", module, ones, None, 0.0)


def normalise(form: NormForm, x: Float[Tensor, "*rows d_model"]) -> tuple[Tensor, Tensor]:
    """(x - mean) * r and r of each row, in float32 at least."""
    x = wide(x)
    if form.kind == "identity":
        return x, torch.ones_like(x[..., :1])
    if form.centred:
        x = x - x.mean(-1, keepdim=True)
    r = torch.rsqrt(x.square().mean(-1, keepdim=True) + form.eps)
    return x * r, r


def pull_back(
    form: NormForm, x: Float[Tensor, "*rows d_model"], gradient: Float[Tensor, "*rows d_model"]
) -> Float[Tensor, "*rows d_model"]:
    """Gradient at a norm's input from the gradient at its output: J(x)^T g.

    J^T g = r (c - mean(c) - xhat mean(c * xhat)), c = gamma * g; without mean(c) for
    RMSNorm, and without the last term when the scale is frozen.
    """
    if form.kind == "identity":
        return gradient
    if form.kind == "other":
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            return torch.autograd.grad(form.module(leaf), leaf, gradient.to(leaf.dtype))[0]
    unit, r = normalise(form, x)
    c = gradient.to(unit.dtype) * form.gamma
    pulled = c if form.frozen else c - unit * (c * unit).mean(-1, keepdim=True)
    return r * (pulled - c.mean(-1, keepdim=True) if form.centred else pulled)
