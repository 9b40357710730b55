"""Agreement of runs that were chosen, as other prompts would move it: these runs given.

The interval over runs asks what other methods, ablations or seeds would say, which three of them
cannot tell. With the scores of every prompt the question of the reader has an answer: how far do
these very runs agree, whatever the prompts were?
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int
from numpy.random import Generator

from circuitvar.audit.indices import phi
from circuitvar.audit.intervals import below_one_swap, t_interval, unseen_swap
from circuitvar.audit.resampling import Scores
from circuitvar.audit.types import Estimate
from circuitvar.circuits.find import top_n_masks

GIVEN_DF = 5
"""Degrees of freedom: about what the variance between blocks is worth."""
LEAST_UNITS = 8
SPLITS = 24
LEAST_GROWTH, MOST_GROWTH = 0.5, 1.0
"""V(n)/V(n/2): 1/2 where agreement is regular in the data; at most as if it stopped falling."""


def phi_given_runs(
    runs: Sequence[Scores],
    *,
    size: int,
    of_example: Int[np.ndarray, " example"],
    rng: Generator,
    signed: bool = False,
    level: float = 0.95,
    unit: str = "prompt",
) -> Estimate:
    """phi of the circuits of several runs on the same prompts, with an interval over prompts.

    V(n/2), the variance of phi between two disjoint blocks of units, is unbiased for data of half
    the size; V(n) = V(n/2) * sqrt(V(n/2)/V(n/4)), the root because the ratio is noisy, held
    between 1/2 and 1. `of_example`: unit of every example, from 0. NaN ends below 8 units, or
    where phi is undefined.
    """
    units = int(of_example.max()) + 1
    means = np.stack([np.asarray(run, dtype=np.float64).mean(axis=0) for run in runs])
    masks = top_n_masks(means, size, signed=signed)
    estimate = Estimate(
        "phi",
        phi(masks),
        level=level,
        n=units,
        unit=unit,
        estimand="agreement of these very runs over other prompts",
    )
    if units < LEAST_UNITS or not np.isfinite(estimate.value):
        missing = f"fewer than {LEAST_UNITS} {unit}s" if units < LEAST_UNITS else "no agreement"
        return replace(estimate, interval=f"none: {missing}", missing=f"no interval: {missing}")
    two, four = (
        _between_blocks(runs, of_example, blocks, size=size, rng=rng, signed=signed)
        for blocks in (2, 4)
    )
    growth = np.clip(np.sqrt(two / four) if four > 0 else 1.0, LEAST_GROWTH, MOST_GROWTH)
    how = f"disjoint blocks of {unit}s, these runs given"
    known = replace(estimate, se=float(np.sqrt(two * growth)), interval=how, kind="subsampling")
    kept = float(masks.sum(axis=1).mean())
    swap, _ = unseen_swap(kept, kept / masks.shape[1], level)
    return below_one_swap(t_interval(known, df=GIVEN_DF, bounds=(-1.0, 1.0)), swap)


def _between_blocks(
    runs: Sequence[Scores], of_example, blocks: int, *, size: int, rng: Generator, signed: bool
) -> float:
    """Variance of phi between disjoint blocks of units, mean over random splits."""
    units = int(of_example.max()) + 1
    splits, width = SPLITS * 2 // blocks, units // blocks
    inside = np.zeros((splits, blocks, units))
    for split in inside:
        order = rng.permutation(units)
        for b, row in enumerate(split):
            row[order[b * width : (b + 1) * width]] = 1.0
    weights = inside.reshape(-1, units)[:, of_example]
    weights /= weights.sum(axis=1, keepdims=True)
    masks = np.stack(
        [top_n_masks(weights.astype(run.dtype) @ run, size, signed=signed) for run in runs]
    )
    found = np.array([phi(masks[:, row]) for row in range(len(weights))])
    return float(found.reshape(splits, blocks).var(axis=1, ddof=1).mean())
