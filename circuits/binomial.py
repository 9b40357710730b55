"""Exact binomial intervals in one place: folders on every floor use them."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

Ends = Float[np.ndarray, "..."]


def clopper_pearson(
    hits: ArrayLike, trials: ArrayLike, *, alpha: float = 0.05
) -> tuple[Ends, Ends]:
    """Exact (low, high) of a share at confidence 1 - alpha, broadcast; [0, 1] without trials.

    The low end at 2 alpha is the one-sided lower bound at alpha.

    >>> low, high = clopper_pearson(np.array([0, 10]), 10)
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0, 0.6915], [0.3085, 1.0])

    Raises
    ------
    ValueError
        Hits are negative or more than the trials.
    """
    from statsmodels.stats.proportion import proportion_confint

    hits, trials = np.broadcast_arrays(np.asarray(hits, float), np.asarray(trials, float))
    if (hits < 0).any() or (hits > trials + 1e-9).any():
        raise ValueError("hits must lie between 0 and trials; check the counts passed")
    hits = np.minimum(hits, trials)
    low, high = np.zeros(hits.shape), np.ones(hits.shape)
    known = (trials != 0) | np.isnan(hits)
    low[known], high[known] = proportion_confint(
        hits[known], trials[known], alpha=alpha, method="beta"
    )
    return low, high
