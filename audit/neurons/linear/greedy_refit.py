"""Stage 2 of a linear explanation: pick few concepts by validation correlation and refit.

Closed form: each candidate set is a small linear system in the Gram matrices, solved for all
units at once. Follows Oikarinen & Weng (2405.06855, algorithm 1), departing in one place: their
released loop labels an explanation of maximal length with the last candidate tried instead of
the one selected.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from circuitvar.audit.neurons.linear.linear_gram import Gram

CONSTANT = 1e-12
"""Share of the variance on train below which a prediction is constant on validation."""
RIDGE = 1e-9
"""Relative ridge that keeps exactly collinear candidates solvable."""


def greedy_refit(
    train: Gram,
    validation: Gram,
    order: Int[np.ndarray, "rank unit"],
    *,
    max_length: int = 10,
    width: int = 10,
    tolerance: float = 0.02,
) -> Float[np.ndarray, "concept unit"]:
    """Coefficients (activation units) of the greedy explanation of every unit.

    At each step the next `width` candidates of `order` (-1 pads) are tried, refitting all
    weights on `train`; the best validation correlation wins. After the first step a candidate
    that gains less than `tolerance` is dropped for good. Stops at `max_length` or when no
    candidate gains that much. A unit that nothing predicts keeps no concept.
    """
    coefficients = np.zeros_like(train.pf)
    usable = (train.ff > 0) & (validation.ff > 0)
    waiting = {u: [int(c) for c in order[:, u] if c >= 0] for u in np.flatnonzero(usable).tolist()}
    picks: dict[int, list[int]] = {u: [] for u in waiting}
    score = np.zeros(train.pf.shape[1])
    active = list(waiting)
    for length in range(max_length):
        active = [u for u in active if len(picks[u]) == length and waiting[u]]
        if not active:
            break
        tries = np.full((len(active), width), -1)
        for row, u in enumerate(active):
            tries[row, : len(waiting[u])] = waiting[u][:width]
        chosen = np.array([picks[u] for u in active], dtype=np.int64).reshape(len(active), length)
        weights, value = _try(train, validation, np.array(active), chosen, tries)
        for row, u in enumerate(active):
            gain = value[row] - score[u]
            best = int(np.argmax(value[row]))
            if not gain[best] >= (tolerance if length else 1e-9):
                continue
            losers = set(tries[row, gain < tolerance].tolist()) if length else set()
            picks[u].append(int(tries[row, best]))
            waiting[u] = [c for c in waiting[u] if c not in losers and c != picks[u][-1]]
            score[u] = value[row, best]
            coefficients[:, u] = 0
            coefficients[picks[u], u] = weights[row, best]
    return coefficients


def _try(
    train: Gram,
    validation: Gram,
    units: Int[np.ndarray, " unit"],
    chosen: Int[np.ndarray, "unit picked"],
    tries: Int[np.ndarray, "unit candidate"],
) -> tuple[Float[np.ndarray, "unit candidate size"], Float[np.ndarray, "unit candidate"]]:
    """Refit of every candidate set on train and its correlation on validation (-inf for a pad)."""
    n_units, width = tries.shape
    sets = np.concatenate(
        [np.repeat(chosen[:, None], width, axis=1), np.maximum(tries, 0)[:, :, None]], axis=2
    )
    left, right = sets[..., :, None], sets[..., None, :]
    system = train.pp[left, right]
    size = system.shape[-1]
    diagonal = np.arange(size)
    own = system[..., diagonal, diagonal]
    system[..., diagonal, diagonal] = np.where(own > 0, own * (1 + RIDGE), 1.0)
    target = train.pf[sets, units[:, None, None]]
    weights = np.linalg.solve(system, target[..., None])[..., 0]
    cover = (weights * validation.pf[sets, units[:, None, None]]).sum(axis=-1)
    spread, fitted = (
        np.einsum("ucs,ucst,uct->uc", weights, g.pp[left, right], weights)
        for g in (validation, train)
    )
    usable = (spread > CONSTANT * fitted) & (tries >= 0)
    value = np.full((n_units, width), -np.inf)
    size = np.sqrt(spread) * np.sqrt(validation.ff[units])[:, None]
    value[usable] = cover[usable] / size[usable]
    return weights, value


def top_k_refit(
    train: Gram, order: Int[np.ndarray, "rank unit"], *, k: int = 5
) -> Float[np.ndarray, "concept unit"]:
    """Least-squares refit of the first k concepts of `order` (-1 pads), without selection."""
    coefficients = np.zeros_like(train.pf)
    for unit in np.flatnonzero(train.ff > 0):
        picked = order[:k, unit]
        picked = picked[picked >= 0]
        if len(picked):
            system = train.pp[np.ix_(picked, picked)]
            solved = np.linalg.lstsq(system, train.pf[picked, unit], rcond=1e-10)[0]
            coefficients[picked, unit] = solved
    return coefficients


def candidate_order(
    standardised: Float[np.ndarray, "concept unit"], *, signed: bool
) -> Int[np.ndarray, "rank unit"]:
    """Concepts with a non-zero stage-1 coefficient, largest first; by |coefficient| if signed."""
    strength = np.abs(standardised) if signed else standardised
    order = np.argsort(-strength, axis=0, kind="stable")
    kept: Bool[np.ndarray, "rank unit"] = np.take_along_axis(strength, order, axis=0) > 0
    return np.where(kept, order, -1)
