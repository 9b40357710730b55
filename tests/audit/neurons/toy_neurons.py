"""Planted probing sets whose right answers are known, shared by the neuron tests."""

import numpy as np

from circuitvar.audit.neurons.data.probing_set import probing_set
from circuitvar.audit.neurons.data.types import ProbingSet
from circuitvar.audit.neurons.run.audit_neurons import NeuronOptions
from circuitvar.audit.neurons.similarity.cluster_resampling import ConceptOptions

LEAN = NeuronOptions(
    concepts=ConceptOptions(replicates=300, new_replicates=100, held_replicates=100, null_draws=20),
    linear=None,
    perturbations=None,
    self_check=False,
    range_units=0,
)


def role_columns(prompts: int, length: int, extra: int, rng: np.random.Generator) -> np.ndarray:
    """One-hot positions, then `extra` random 0/1 columns of frequency 0.2."""
    positions = np.tile(np.eye(length), (prompts, 1))
    return np.concatenate([positions, rng.random((prompts * length, extra)) < 0.2], axis=1)


def planted_units(
    prompts: int, length: int, units: int, extra: int, *, beta: float, seed: int
) -> tuple[ProbingSet, np.ndarray]:
    """Unit u = beta * concept (u mod M) + standard normal noise; the planted column of each."""
    rng = np.random.default_rng(seed)
    concepts = role_columns(prompts, length, extra, rng)
    truth = np.arange(units) % concepts.shape[1]
    acts = rng.normal(size=(len(concepts), units)) + beta * concepts[:, truth]
    groups = np.repeat(np.arange(prompts), length)
    return probing_set(acts, concepts, groups=groups), truth


def flipped_concepts(
    n: int, concepts: int, tied: int, gap: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A binary unit and noisy copies of it: column 0 is best, the next `tied` - 1 nearly so.

    Column j flips the unit's value with probability .2 (best), .2 + gap (near ties), .45 (rest).
    """
    unit = rng.random(n) < 0.3
    rates = np.full(concepts, 0.45)
    rates[:tied] = 0.2 + gap
    rates[0] = 0.2
    columns = unit[:, None] ^ (rng.random((n, concepts)) < rates)
    return unit, columns


def duplicate_name_neuron(rng: np.random.Generator, prompts: int = 300, length: int = 8):
    """A hand-built one-layer transformer whose MLP neuron is [token is a name AND seen before].

    Tokens 0-3 are names, 4-9 other words. Head: each position attends to earlier copies of its
    own token (one-hot query and key, scale 20, a null key for no match) and writes the matched
    mass to one residual direction. Neuron: relu(name + matched - 1.5).
    """
    tokens = rng.integers(0, 10, (prompts, length))
    embed = np.eye(10)
    x = embed[tokens]
    scores = 20.0 * np.einsum("bqd,bkd->bqk", x, x)
    earlier = np.tril(np.ones((length, length), dtype=bool), -1)
    scores = np.where(earlier, scores, -np.inf)
    null = np.full((prompts, length, 1), 10.0)
    weights = np.exp(np.concatenate([null, scores], axis=2) - 20.0)
    pattern = weights / weights.sum(axis=2, keepdims=True)
    matched = pattern[:, :, 1:].sum(axis=2)
    name_direction = (np.arange(10) < 4).astype(float)
    neuron = np.maximum(x @ name_direction + matched - 1.5, 0)
    name = tokens < 4
    seen = np.array([[t in row[:i] for i, t in enumerate(row)] for row in tokens])
    return tokens, neuron, name, seen


def planted_weights() -> tuple[ProbingSet, np.ndarray, np.ndarray]:
    """Ten concepts, six units with three planted weights each, in two halves: (data, weights,
    weight of every sample in training)."""
    rng = np.random.default_rng(0)
    concepts = rng.random((1200, 10)) < 0.3
    weights = np.zeros((10, 6))
    for u in range(6):
        weights[rng.choice(10, 3, replace=False), u] = rng.choice([-1, 1], 3) * (1 + rng.random(3))
    acts = 0.5 + concepts @ weights + 0.5 * rng.normal(size=(1200, 6))
    train = (np.arange(1200) < 800).astype(float)
    return probing_set(acts, concepts), weights, train
