"""What must not matter: order of rows and edges, chunk size, memory, labels of templates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.audit.axis import runs_axis
from circuitvar.audit.halves import halves_agreement
from circuitvar.audit.replicate_sets import replicate_sets, top_k_masks
from circuitvar.audit.weights import bootstrap
from circuitvar.audit.wording import group_means, wording
from circuitvar.circuits.select import top_n_masks

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(48, 70)) + 0.5 * RNG.standard_t(3, size=70)
TEMPLATES = tuple(f"t{i % 6}" for i in range(48))


def test_axes_do_not_depend_on_the_order_of_runs_or_edges():
    masks = RNG.random((7, 70)) < 0.2
    names = {"key": "seed", "title": "Seeds", "unit": "seed"}
    first = runs_axis(masks, **names)
    turned = runs_axis(masks[::-1][:, RNG.permutation(70)], **names)
    for name in ("value", "se", "low", "high"):
        for index in ("phi", "jaccard"):
            a, b = (getattr(getattr(axis, index), name) for axis in (first, turned))
            assert a == pytest.approx(b)
    assert first.chance == pytest.approx(turned.chance)


def test_halves_do_not_depend_on_the_order_of_edges():
    order = RNG.permutation(70)
    first, turned = (
        halves_agreement(s, size=9, rng=np.random.default_rng(1), pairs=6)
        for s in (SCORES, SCORES[:, order])
    )
    assert first.phi.value == pytest.approx(turned.phi.value)
    assert first.phi.low == pytest.approx(turned.phi.low)
    np.testing.assert_array_equal(first.sets.inclusion[order], turned.sets.inclusion)


@pytest.mark.parametrize("memory", [0.001, 0.05, 64.0])
def test_halves_do_not_depend_on_the_memory_they_may_use(memory):
    options = {"size": 9, "pairs": 6}
    whole = halves_agreement(SCORES, rng=np.random.default_rng(1), **options)
    chunked = halves_agreement(SCORES, rng=np.random.default_rng(1), memory_mb=memory, **options)
    assert (whole.phi.low, whole.phi.high) == (chunked.phi.low, chunked.phi.high)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_replicates_do_not_depend_on_the_chunk(chunk):
    weights = bootstrap(48, 40, rng=np.random.default_rng(2)).weights
    whole = replicate_sets(SCORES, weights, size=9)
    np.testing.assert_array_equal(
        whole.packed, replicate_sets(SCORES, weights, size=9, chunk=chunk).packed
    )


def test_template_means_do_not_depend_on_the_order_of_examples():
    order = RNG.permutation(48)
    labels = np.array(TEMPLATES)
    np.testing.assert_allclose(
        group_means(SCORES, labels), group_means(SCORES[order], labels[order])
    )


def test_names_of_templates_do_not_matter():
    renamed = tuple("x" + name for name in TEMPLATES)
    first, second = (
        wording(SCORES, names, size=9, rng=np.random.default_rng(3)).lost
        for names in (TEMPLATES, renamed)
    )
    assert (first.value, first.low, first.high) == (second.value, second.low, second.high)


@settings(max_examples=80)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 25), signed=st.booleans(), wide=st.booleans())
def test_axes_of_the_matrix_and_axes_of_runs_select_alike(seed, n, signed, wide):
    """One rule, zeros and ties included, whether a circuit comes from resampled scores or a run."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(-3, 4, size=(6, 25)).astype(float)
    if wide:
        scores *= rng.random((6, 25)) < 0.3
    runs = top_n_masks(scores, n, absolute=not signed)
    np.testing.assert_array_equal(runs, top_k_masks(scores, n, signed=signed))
    streamed = replicate_sets(scores, np.eye(6), size=n, signed=signed, chunk=2).masks()
    np.testing.assert_array_equal(runs, streamed)
    assert not runs[scores == 0].any()
