"""Planted scores with known truth, shared by the parts of `validation.py`."""

import numpy as np

from circuitvar.circuits.find import top_n_masks
from circuitvar.tasks.planted import draw_effects

Line = tuple[str, str, float, str]
EDGES, SIZE = 600, 40


def regimes(rng) -> dict[str, np.ndarray]:
    """True effects, in units of the noise of one prompt."""
    return {
        "noise": np.zeros(EDGES),
        "weak": 0.08 * rng.normal(size=EDGES),
        "heavy": 0.2 * rng.standard_t(2, size=EDGES),
        "gap": np.where(np.arange(EDGES) < SIZE, 0.6, 0.0),
    }


def few_strong(rng) -> np.ndarray:
    """Heavy-tailed effects whose few largest decide."""
    return 0.2 * rng.standard_t(2, size=EDGES)


def tied_routes(n, edges, rng) -> np.ndarray:
    """One sure edge and two routes of three edges that win equally often."""
    scores = np.zeros((n, edges))
    scores[:, 0] = 10.0
    scores[:, 1:4], scores[:, 4:7] = rng.uniform(size=(2, n, 1))
    return scores


def planted_noise(n, rng):
    """Effects of the 257 edges of `planted:noise` on prompts of a random topic and two words."""
    scores = np.zeros((n, 257))
    scores[:, :32] = np.repeat(draw_effects(n, rng=rng), 2, axis=1)
    return scores


def draw(effect, n, rng, *, templates=0, spread=0.5, shared=0.0):
    """Scores of fresh prompts, of fresh templates if any; (scores, template of each prompt).

    `shared`: noise that all edges of one prompt have in common, with signs of their own.
    """
    scores = effect + rng.normal(size=(n, len(effect)))
    if shared:
        sign = np.where(np.arange(len(effect)) % 2, 1.0, -1.0)
        scores += shared * rng.normal(size=(n, 1)) * sign
    if not templates:
        return scores, None
    label = np.arange(n) % templates
    return scores + spread * rng.normal(size=(templates, len(effect)))[label], label


def circuits(effect, n, runs, rng, *, size=SIZE, **options):
    means = np.stack([draw(effect, n, rng, **options)[0].mean(axis=0) for _ in range(runs)])
    return top_n_masks(means, size)


def covered(estimate, truth: float) -> bool:
    return bool(estimate.low <= truth <= estimate.high)


def circuits_fast(effect, n, runs, rng):
    return top_n_masks(effect + rng.normal(size=(runs, len(effect))) / np.sqrt(n), SIZE)
