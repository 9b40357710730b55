"""What a unit means in each range of its activation: the range map and the polysemanticity flag.

The top range of a unit carries little of its effect and need not mean what the middle means
(Oikarinen & Weng, 2405.06855). Each bin is treated as a binary unit of its own; its concept is
the one with the highest phi, and cluster resampling says whether that winner is stable.
"""

from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from circuitvar.audit.neurons.data import ProbingSet

Bins = Literal["width", "quantile"]


def range_edges(
    values: Float[np.ndarray, " sample"], *, bins: int = 8, by: Bins = "width"
) -> Float[np.ndarray, " edge"]:
    """Bin edges: equal width over [max(0, min), max], or equal counts; values below join bin 0.

    >>> range_edges(np.array([-1.0, 0.0, 8.0]), bins=4).tolist()
    [0.0, 2.0, 4.0, 6.0, 8.0]
    """
    if bins < 2:
        raise ValueError(f"{bins} bins; a range map needs at least 2.")
    if by == "quantile":
        return np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    if by != "width":
        raise ValueError(f"bins by {by!r}; choose width or quantile.")
    low, high = max(0.0, float(values.min())), float(values.max())
    return np.linspace(low if high > low else float(values.min()), high, bins + 1)


def range_map(
    data: ProbingSet,
    values: Float[np.ndarray, " sample"],
    weights: Float[np.ndarray, "replicate cluster"],
    *,
    bins: int = 8,
    by: Bins = "width",
    impact: Float[np.ndarray, " sample"] | None = None,
    min_clusters: int = 10,
) -> pd.DataFrame:
    """One row per bin: samples, top concept with its share and phi, bootstrap support, entropy.

    `values` are the activations of one unit, `weights` cluster resamples for the support of each
    bin's top concept. With the signed effect of each sample as `impact`, each bin has its share of
    the total |impact|. Bins seen in fewer than `min_clusters` prompts get no concept.

    Raises
    ------
    ValueError
        The unit is constant.
    """
    if not values.max() > values.min():
        raise ValueError("the unit is constant, so it has no activation ranges.")
    edges = range_edges(values, bins=bins, by=by)
    bin_of = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    n_bins = len(edges) - 1
    sums, sizes, concept, total = _bin_sums(data, bin_of, n_bins)
    point = _bin_phi(sums.sum(0)[None], sizes.sum(0)[None], concept.sum(0)[None], total.sum())[0]
    both = (weights @ sums.reshape(data.n_groups, -1)).reshape(-1, n_bins, data.n_concepts)
    draws = _bin_phi(both, weights @ sizes, weights @ concept, weights @ total)
    winners = np.where(np.isnan(draws), -np.inf, draws).argmax(axis=2)
    middle = data.weights @ values / data.weights.sum()
    lift = (data.weights * (values - middle)) @ data.concepts
    effect = np.abs(np.full(data.n_samples, np.nan) if impact is None else impact)
    rows = []
    for b in range(n_bins):
        clusters = len(np.unique(data.groups[bin_of == b]))
        shares = sums[:, b].sum(axis=0) / (float(sizes[:, b].sum()) or 1.0)
        usable = clusters >= min_clusters and np.isfinite(point[b]).any()
        top = int(np.nanargmax(point[b])) if usable else -1
        rows.append(
            {
                "bin": b,
                "low": edges[b],
                "high": edges[b + 1],
                "samples": int((bin_of == b).sum()),
                "clusters": clusters,
                "concept": data.names[top] if usable else "",
                "share": shares[top] if usable else np.nan,
                "phi": point[b, top] if usable else np.nan,
                "support": float((winners[:, b] == top).mean()) if usable else np.nan,
                "raises_unit": bool(usable and lift[top] > 0),
                "entropy": _entropy(shares),
                "impact": effect[bin_of == b].sum() / (effect.sum() or 1.0),
            }
        )
    return pd.DataFrame(rows)


def polysemantic(table: pd.DataFrame, *, support: float = 0.95) -> bool:
    """True when two upper bins have different, well-supported concepts that both raise the unit.

    Bin 0 is left out: it holds the samples on which the unit is off.
    """
    sure = table[(table.bin > 0) & (table.support >= support) & (table.phi > 0)]
    return len(set(sure.loc[sure["raises_unit"], "concept"])) >= 2


def _bin_sums(
    data: ProbingSet, bin_of: Int[np.ndarray, " sample"], n_bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    w = data.weights
    sums = np.zeros((data.n_groups, n_bins, data.n_concepts), dtype=np.float32)
    np.add.at(sums, (data.groups, bin_of), (w[:, None] * data.concepts).astype(np.float32))
    sizes = np.zeros((data.n_groups, n_bins), dtype=np.float32)
    np.add.at(sizes, (data.groups, bin_of), w.astype(np.float32))
    return sums, sizes, sums.sum(axis=1), sizes.sum(axis=1)


def _bin_phi(
    both: Float[np.ndarray, "replicate bin concept"],
    size: Float[np.ndarray, "replicate bin"],
    concept: Float[np.ndarray, "replicate concept"],
    total: np.ndarray | float,
) -> Float[np.ndarray, "replicate bin concept"]:
    n = np.asarray(total, dtype=np.float64).reshape(-1, 1, 1)
    a, c = size[:, :, None] / n, concept[:, None, :] / n
    with np.errstate(invalid="ignore", divide="ignore"):
        return (both / n - a * c) / np.sqrt(a * (1 - a) * c * (1 - c))


def _entropy(shares: np.ndarray) -> float:
    """Entropy in nats of the concept shares of a bin, normalised to sum to one."""
    p = shares[shares > 0] / (float(shares.sum()) or 1.0)
    return float(-(p * np.log(p)).sum())
