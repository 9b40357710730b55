"""Units of measurement, the order of samples and copies of them do not matter to a metric."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.audit.neurons.data import probing_set
from circuitvar.audit.neurons.similarity.similarity import similarity
from circuitvar.audit.neurons.similarity.similarity_metrics import SIMILARITIES

KEYS = tuple(metric.key for metric in SIMILARITIES)
GRADED = ("pearson", "cosine", "mad", "spearman")
"""Defined for concepts that are not 0 or 1."""
SCALES = st.sampled_from([1e-6, 3e-4, 1e-2, 1.0, 1e3, 1e6])
SEEDS = st.integers(0, 10**6)


def drawn(seed, *, graded=False):
    rng = np.random.default_rng(seed)
    concepts = (rng.random((60, 4)) < 0.4).astype(float)
    acts = concepts[:, :3] + 0.5 * rng.normal(size=(60, 3))
    if graded:
        concepts = concepts * rng.random((60, 4))
    return acts, concepts


def scores(key, acts, concepts, **more):
    return similarity(probing_set(acts, concepts, **more), metrics=(key,), quantile=0.2)[key]


def same(a, b, scale=1.0):
    np.testing.assert_allclose(a, np.asarray(b) * scale, rtol=2e-4, atol=2e-4 * scale)
    assert np.isfinite(a).all()


@pytest.mark.parametrize("key", KEYS)
@given(seed=SEEDS, scale=SCALES)
@settings(max_examples=50, deadline=None)
def test_the_unit_of_activation_does_not_matter(key, seed, scale):
    acts, concepts = drawn(seed)
    factor = scale if key == "mad" else 1.0
    same(scores(key, acts * scale, concepts), scores(key, acts, concepts), factor)


@pytest.mark.parametrize("key", GRADED)
@given(seed=SEEDS, scale=SCALES.filter(lambda scale: scale <= 1))
@settings(max_examples=50, deadline=None)
def test_the_size_of_graded_concepts_does_not_matter(key, seed, scale):
    acts, concepts = drawn(seed, graded=True)
    if key == "mad":  # Its inside and outside are shares of a concept that is 0 or 1.
        return
    same(scores(key, acts, concepts * scale), scores(key, acts, concepts))


@pytest.mark.parametrize("key", KEYS)
@given(seed=SEEDS, scale=SCALES)
@settings(max_examples=50, deadline=None)
def test_the_size_of_weights_does_not_matter_and_copies_are_weights(key, seed, scale):
    acts, concepts = drawn(seed)
    times = np.random.default_rng(seed).integers(1, 4, size=len(acts))
    copied = scores(key, np.repeat(acts, times, axis=0), np.repeat(concepts, times, axis=0))
    same(scores(key, acts, concepts, weights=times * scale), copied)


@pytest.mark.parametrize("key", KEYS)
@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_order_of_samples_does_not_matter(key, seed):
    acts, concepts = drawn(seed)
    order = np.random.default_rng(seed).permutation(len(acts))
    same(scores(key, acts[order], concepts[order]), scores(key, acts, concepts))


@pytest.mark.parametrize("key", ["pearson", "spearman", "phi", "iou", "auroc"])
@given(seed=SEEDS, shift=st.floats(-3, 3))
@settings(max_examples=30, deadline=None)
def test_a_constant_added_to_a_unit_does_not_matter(key, seed, shift):
    acts, concepts = drawn(seed)
    same(scores(key, acts + shift, concepts), scores(key, acts, concepts))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("key", ["pearson", "phi", "spearman"])
def test_a_constant_unit_is_undefined_at_any_size(key, scale):
    acts, concepts = drawn(0)
    found = scores(key, np.full_like(acts, 0.1 * scale), concepts)
    assert np.isnan(found).all()


@pytest.mark.parametrize("values", [[1, 1, 1] + [0] * 7, [5, 5, 5] + [-1] * 7])
def test_a_two_valued_unit_is_active_at_its_upper_value(values):
    """By hand: unit = concept, so every overlap is 1; a strict quantile would select nobody."""
    concept = np.array([1, 1, 1] + [0] * 7, dtype=float)[:, None]
    data = probing_set(np.array(values, dtype=float)[:, None], concept)
    found = similarity(data, metrics=("iou", "f1", "auprc"), quantile=0.05)
    assert [found[key].item() for key in ("iou", "f1", "auprc")] == [1.0, 1.0, 1.0]
