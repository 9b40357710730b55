"""Relevance patching: EAP with the backward rules of layer-wise relevance propagation."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from circuitvar.circuits.methods.gradient.eap import eap
from circuitvar.circuits.model import Architecture, FrozenNorm, MLPParts, Model, NoMLP, mlp_parts
from circuitvar.circuits.types import Scored, ScoreOptions
from circuitvar.tasks.types import Batch, Metric


class RuleMLP(nn.Module):
    """An MLP with the same output and another gradient.

    An activation passes gradients times a(x)/x (0 where x is 0); each factor of a gated product
    gets half of the gradient.
    """

    def __init__(self, parts: MLPParts) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, x: Tensor) -> Tensor:
        """The MLP, with relevance shared equally between gate and input."""
        into = self.parts.into(x)
        if self.parts.gate is None:
            return self.parts.out(self._activate(into))
        gate = self._activate(self.parts.gate(x))
        return self.parts.out(0.5 * (gate * into.detach() + gate.detach() * into))

    def _activate(self, x: Tensor) -> Tensor:
        value = self.parts.act(x).detach()
        fixed = x.detach()
        return x * torch.where(fixed == 0, 0.0, value / torch.where(fixed == 0, 1.0, fixed))


def with_rules(architecture: Architecture) -> Architecture:
    """The same decoder with the backward rules of RelP."""
    layers = tuple(
        replace(
            layer,
            attn_norm=FrozenNorm(layer.attn_norm),
            mlp_norm=FrozenNorm(layer.mlp_norm),
            attn_post_norm=layer.attn_post_norm and FrozenNorm(layer.attn_post_norm),
            mlp_post_norm=layer.mlp_post_norm and FrozenNorm(layer.mlp_post_norm),
            mlp=layer.mlp if isinstance(layer.mlp, NoMLP) else RuleMLP(mlp_parts(layer.mlp)),  # type: ignore[arg-type]
        )
        for layer in architecture.layers
    )
    return replace(architecture, layers=layers, final_norm=FrozenNorm(architecture.final_norm))


def relp(model: Model, batch: Batch, *, metric: Metric, options: ScoreOptions) -> Scored:
    """Relevance patching (Jafari et al. 2025, arXiv 2508.21258).

    EAP's sum with dM/dx_v replaced by propagation coefficients: norm scales are constants; an
    activation a(x) passes gradients times a(x)/x; a gated product gives each factor half; the
    rest (attention included) is differentiated as usual. Metric scale, but not a first-order
    approximation of damage, so compare by rank. Sign as `eap`.

    Raises
    ------
    ValueError
        As `eap`; or the MLP is of no known form.
    """
    ruled = replace(model, architecture=with_rules(model.architecture))
    return eap(ruled, batch, metric=metric, options=options)
