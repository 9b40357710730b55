"""T9: greedy explanations against least squares on the samples and against all subsets."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.audit.neurons.data.probing_set import probing_set
from circuitvar.audit.neurons.linear.greedy_refit import candidate_order, greedy_refit, top_k_refit
from circuitvar.audit.neurons.linear.linear_gram import elastic_net, gram
from tests.audit.neurons.toy_neurons import planted_weights


@pytest.fixture(scope="module")
def planted():
    return planted_weights()


def slow_greedy(x, y, xv, yv, order, *, max_length, width, tolerance):
    """The same rule by least squares on the samples: the oracle of `greedy_refit`."""
    waiting, picked, current = [c for c in order if c >= 0], [], 0.0
    while len(picked) < max_length and waiting:
        tried = {}
        for c in waiting[:width]:
            columns = [*picked, c]
            design = np.column_stack([x[:, columns], np.ones(len(x))])
            w = np.linalg.lstsq(design, y, rcond=None)[0]
            tried[c] = np.corrcoef(xv[:, columns] @ w[:-1], yv)[0, 1] - current
        best = max(tried, key=lambda c: tried[c])
        if tried[best] < (tolerance if picked else 1e-9):
            break
        losers = [c for c, gain in tried.items() if picked and gain < tolerance]
        picked.append(best)
        current += tried[best]
        waiting = [c for c in waiting if c != best and c not in losers]
    return picked


def best_subset(x, y, xv, yv, *, size):
    def value(columns):
        design = np.column_stack([x[:, columns], np.ones(len(x))])
        w = np.linalg.lstsq(design, y, rcond=None)[0]
        return np.corrcoef(xv[:, columns] @ w[:-1], yv)[0, 1]

    return max((list(c) for c in itertools.combinations(range(x.shape[1]), size)), key=value)


def small_problem(seed, size, concepts, overlap):
    """`size` planted weights among few concepts, in a train and a validation part."""
    rng = np.random.default_rng(seed)
    base = rng.random((600, concepts)) < 0.35
    copied = base & (rng.random(base.shape) < overlap)
    columns = base | np.roll(copied, 1, axis=1)
    weights = np.zeros(concepts)
    places = rng.choice(concepts, size, replace=False)
    weights[places] = rng.choice([-1, 1], size) * rng.uniform(1, 2, size)
    values = columns @ weights + 0.3 * rng.normal(size=600)
    data = probing_set(values[:, None], columns)
    train = (np.arange(600) < 400).astype(float)
    grams = gram(data, train), gram(data, 1 - train)
    x, on = columns.astype(float), train > 0
    return grams, (x[on], values[on], x[~on], values[~on]), weights


SMALL = {"seed": st.integers(0, 10_000), "size": st.integers(1, 4), "concepts": st.integers(5, 10)}


@settings(deadline=None, max_examples=25)
@given(**SMALL)
def test_greedy_selects_the_best_of_all_subsets_of_independent_concepts(seed, size, concepts):
    (first, second), args, weights = small_problem(seed, size, concepts, 0.0)
    order = candidate_order(elastic_net(first), signed=True)
    found = np.flatnonzero(greedy_refit(first, second, order, tolerance=0.005)[:, 0])
    assert set(found) == set(np.flatnonzero(weights))
    assert set(found) == set(best_subset(*args, size=size))


@settings(deadline=None, max_examples=25)
@given(**SMALL, overlap=st.floats(0, 0.8), width=st.integers(1, 10))
def test_greedy_equals_trying_every_candidate_on_the_samples(seed, size, concepts, overlap, width):
    """On dependent concepts too, where no greedy rule need find the best subset."""
    (first, second), args, _ = small_problem(seed, size, concepts, overlap)
    order = candidate_order(elastic_net(first), signed=True)
    options = {"max_length": 5, "width": width, "tolerance": 0.01}
    found = np.flatnonzero(greedy_refit(first, second, order, **options)[:, 0])
    assert set(found) == set(slow_greedy(*args, order[:, 0], **options))


@pytest.mark.parametrize("tolerance, width", [(0.02, 10), (0.0, 3)])
def test_greedy_equals_refitting_on_samples_and_best_subset(planted, tolerance, width):
    data, weights, train = planted
    first, second = gram(data, train), gram(data, 1 - train)
    order = candidate_order(elastic_net(first), signed=True)
    options = {"max_length": 5, "width": width, "tolerance": tolerance}
    got = greedy_refit(first, second, order, **options)
    x, y, on = data.concepts.astype(float), np.asarray(data.acts), train > 0
    for u in range(6):
        args = x[on], y[on, u], x[~on], y[~on, u], order[:, u]
        assert set(slow_greedy(*args, **options)) == set(np.flatnonzero(got[:, u]))
        if tolerance:
            chosen = best_subset(*args[:4], size=3)
            assert set(chosen) == set(np.flatnonzero(got[:, u])) == set(weights[:, u].nonzero()[0])


def test_maximal_length_keeps_the_selected_concepts(planted):
    """The released greedy loop returns the last concept tried; the true weights must survive."""
    data, weights, train = planted
    first, second = gram(data, train), gram(data, 1 - train)
    order = candidate_order(elastic_net(first), signed=True)
    got = greedy_refit(first, second, order, max_length=3, tolerance=0.0)
    assert ((got != 0) == (weights != 0)).all()
    np.testing.assert_allclose(got, weights, atol=0.15)
    np.testing.assert_allclose(top_k_refit(first, order, k=3), got, atol=1e-6)
