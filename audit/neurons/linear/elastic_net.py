"""Elastic net for all units at once, on the correlation matrix of the concepts.

Minimises, per unit and on standardised variables, |y - P w|^2 / (2 n) + lambda a |w|_1 +
lambda (1 - a) |w|^2 / 2 (stage 1 of Oikarinen & Weng, 2405.06855, lambda .05, a .99) by cyclic
coordinate descent, one coordinate for all units per step.
"""

import numpy as np
from jaxtyping import Float

from circuitvar.audit.neurons.linear.linear_gram import Gram

FLAT = 1e-3


def elastic_net(
    g: Gram,
    *,
    penalty: float = 0.05,
    l1_ratio: float = 0.99,
    positive: bool = False,
    tolerance: float = 1e-5,
    max_sweeps: int = 500,
) -> Float[np.ndarray, "concept unit"]:
    """Standardised coefficients; 0 for constant concepts and dead units.

    `positive` allows no negative evidence. Stops when no coefficient moves by `tolerance` in a
    sweep, or after `max_sweeps` when none moves by `FLAT`: between columns that coincide on
    these samples only the small ridge term decides, the fit itself has settled long before.

    Raises
    ------
    ValueError
        Coefficients still move by `FLAT` per sweep.
    """
    if penalty < 0 or not 0 <= l1_ratio <= 1:
        raise ValueError(f"penalty {penalty} must be >= 0 and l1_ratio {l1_ratio} in [0, 1].")
    r, c = correlations(g)
    w = np.zeros_like(c)
    fitted = np.zeros_like(c)
    live = np.flatnonzero(np.diag(r) > 0)
    largest = np.inf
    for _ in range(max_sweeps):
        largest = 0.0
        for j in live:
            target = c[j] - fitted[j] + w[j]
            shrunk = np.maximum(np.abs(target) - penalty * l1_ratio, 0.0)
            new = np.where(target > 0, shrunk, 0.0 if positive else -shrunk)
            step = new / (1 + penalty * (1 - l1_ratio)) - w[j]
            moved = np.flatnonzero(step)
            if len(moved):
                largest = max(largest, float(np.abs(step).max()))
                w[j] += step
                if 2 * len(moved) < len(step):
                    fitted[:, moved] += r[:, [j]] * step[moved]
                else:
                    fitted += r[:, [j]] * step
        if largest < tolerance:
            return w
    if largest < FLAT:
        return w
    raise ValueError(
        f"elastic net did not converge in {max_sweeps} sweeps; merge near-duplicate concepts."
    )


def correlations(
    g: Gram,
) -> tuple[Float[np.ndarray, "concept concept"], Float[np.ndarray, "concept unit"]]:
    """Correlations among concepts and between concepts and units; 0 where one is constant."""
    concept = _inverse(np.sqrt(np.diag(g.pp)))
    unit = _inverse(np.sqrt(g.ff))
    r = g.pp * concept[:, None] * concept
    return r, g.pf * concept[:, None] * unit


def _inverse(sd: np.ndarray) -> np.ndarray:
    return np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 1e-9)
