"""Which prompts carry the result: influence on stability and on membership.

Influence on phi is a derivative that costs a few products; leave-one-out circuits cost one.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import ndtr

from circuitvar.audit.edges.edge_summary import edge_summary
from circuitvar.audit.resampling import Scores

Example = Float[np.ndarray, " example"]
Edge = Float[np.ndarray, " edge"]
_FAR = 8.0
"""Edges further from the cut than this many SEs are kept always or never."""
_ROUNDS = 3
"""The cut, and how it moves with the prompts, settle in three."""


def phi_influence(scores: Scores, *, size: int, signed: bool = False) -> Example:
    """About the change in bootstrap phi when one prompt is dropped; NaN when phi is undefined.

    Positive: the circuit is more stable without it. The derivative of phi with p_e =
    Phi((|m_e| - c)/tau_e), the chance that a resample keeps edge e: m_e its mean, c the cut at
    which `size` edges are kept on average, tau_e the SE of the distance between the two, as the cut
    moves with the edges beside it. The infinitesimal jackknife from B = 200 replicates correlates
    .2 to .7 with that from 20,000, this .96 to .99.

    >>> scores = np.random.default_rng(0).normal(size=(40, 30)) + 2 * (np.arange(30) < 6)
    >>> phi_influence(scores, size=6).shape
    (40,)
    """
    n, edges = scores.shape
    if not 0 < size < edges or n < 2:
        return np.full(n, np.nan)
    summary = edge_summary(scores)
    mean, se = summary.mean, summary.se
    if signed:
        sign, level = np.ones(edges), mean
    else:
        sign, level = np.where(mean < 0, -1.0, 1.0), np.abs(mean)
    cut = np.partition(level, edges - size)[edges - size]
    distance = np.abs(level - cut)
    at_cut = se[np.argpartition(distance, size)[:size]].max()
    near = np.flatnonzero((distance <= _FAR * (se + at_cut)) & (se > 0))
    sure = int((level > cut).sum() - (level[near] > cut).sum())
    if not sure < size < sure + len(near):
        return np.full(n, 0.0 if sure + len(near) else np.nan)
    unit = float(se[near].max())  # Scores of any unit, for the search for the cut.
    part = sign[near] * (scores[:, near].astype(np.float64) - mean[near]) / unit
    share = size / edges
    derivative = _kept_by_prompt(part, level[near] / unit, size - sure, both=not signed)
    return -derivative / (edges * share * (1 - share))


@dataclass(frozen=True, eq=False)
class _Cut:
    """Where the edges lie against the cut, above it (up) and below its negative (down)."""

    u: Edge
    v: Edge
    up: Edge
    """SE of the distance to the cut."""
    down: Edge
    above: Edge
    """Change of the chance to be kept with the mean, above the cut; `below` its negative."""
    below: Edge


def _cut(part, level, kept: int, together: Example, *, both: bool) -> _Cut:
    """The cut at which `kept` edges are kept on average, which moves with `together` per prompt."""
    n, other = len(part), 1.0 if both else 0.0
    own = (part**2).mean(axis=0)
    shared, moves = part.T @ together / n, float(together @ together) / n
    up, down = (
        np.sqrt(np.maximum(own - side * 2 * shared + moves, 1e-12 * float(own.max())) / n)
        for side in (1, -1)
    )

    def surplus(cut: float) -> float:
        inside = ndtr((level - cut) / up) + other * ndtr((-level - cut) / down)
        return float(inside.sum()) - kept

    reach = float(np.abs(level).max() + 40 * max(up.max(), down.max()))
    cut = float(brentq(surplus, 0.0 if both else -reach, reach))  # pyright: ignore[reportArgumentType]
    u, v = (level - cut) / up, (-level - cut) / down
    return _Cut(u, v, up, down, _density(u) / up, other * _density(v) / down)


def _kept_by_prompt(part: Scores, level: Edge, kept: int, *, both: bool) -> Example:
    """Change of sum p (1 - p) when one prompt is dropped.

    `part`: centred scores with the sign of their mean; `both`: edges are kept by magnitude, so on
    either side of 0.
    """
    n, together = len(part), np.zeros(len(part))
    at = _cut(part, level, kept, together, both=both)
    for _ in range(_ROUNDS):
        together = part @ ((at.above - at.below) / float((at.above + at.below).sum()))
        at = _cut(part, level, kept, together, both=both)
    above, below = at.above, at.below
    weight = 1 - 2 * (ndtr(at.u) + (ndtr(at.v) if both else 0.0))
    weight -= float((weight * (above + below)).sum()) / float((above + below).sum())
    rise, fall = (
        -weight * slope * z / (2 * spread) / n
        for slope, z, spread in ((above, at.u, at.up), (below, at.v, at.down))
    )
    by_mean = part @ (weight * (above - below))
    by_variance = (
        part**2 @ (rise + fall)
        + 2 * together * (part @ (fall - rise))
        + (rise + fall).sum() * together**2
    )
    return -(by_mean + by_variance - by_variance.mean()) / n


def _density(z: Edge) -> Edge:
    """Normal density; 0 far out, without overflow."""
    return np.exp(-0.5 * np.clip(z, -40, 40) ** 2) / np.sqrt(2 * np.pi)
