"""Integer sample weights equal repeated rows, in every part of the neuron audit that takes them."""

import numpy as np
import pytest

from circuitvar.audit.neurons.data.probing_set import probing_set
from circuitvar.audit.neurons.linear.inclusion_frequency import inclusion_frequency
from circuitvar.audit.neurons.linear.linear_explanation import linear_explanations
from circuitvar.audit.neurons.resampling.bootstrap_votes import bootstrap_votes
from circuitvar.audit.neurons.run.audit_neurons import NeuronOptions, audit_neurons
from circuitvar.audit.neurons.similarity.cluster_resampling import (
    ConceptOptions,
    cluster_weights,
    concept_prompts,
)
from circuitvar.audit.neurons.similarity.cluster_sums import active_rows
from circuitvar.audit.neurons.similarity.similarity import similarity
from circuitvar.audit.neurons.similarity.similarity_metrics import SIMILARITIES
from circuitvar.audit.neurons.views.activation_ranges import range_map
from circuitvar.audit.neurons.views.error_curve import error_curve
from circuitvar.audit.neurons.views.perturbations import winning_classes

METRICS = [m.key for m in SIMILARITIES]


@pytest.fixture(scope="module")
def pair():
    """One weighted probing set with strata, and the same with rows repeated; weight 0 drops."""
    rng = np.random.default_rng(0)
    concepts = (rng.random((400, 5)) < 0.3).astype(float)
    acts = np.round(concepts[:, :3] @ rng.normal(size=(3, 4)) + rng.normal(size=(400, 4)), 2)
    groups = np.repeat(np.arange(100), 4)
    w = rng.integers(0, 4, 400)
    w[::4] = np.maximum(w[::4], 1)
    rows = np.repeat(np.arange(400), w)
    strata = groups % 3
    weighted = probing_set(acts, concepts, groups=groups, strata=strata, weights=w)
    repeated = probing_set(acts[rows], concepts[rows], groups=groups[rows], strata=strata[rows])
    return weighted, repeated


@pytest.mark.parametrize("quantile", [0.05, 0.3, None])
def test_scores(pair, quantile):
    weighted, repeated = (similarity(data, METRICS, quantile=quantile) for data in pair)
    for key in METRICS:
        np.testing.assert_allclose(weighted[key], repeated[key], rtol=5e-6, atol=2e-5, err_msg=key)


def test_votes_and_winners(pair):
    metrics = ["pearson", "iou", "auprc", "phi", "accuracy", "auroc"]
    w = cluster_weights(pair[0].strata, 60, rng=np.random.default_rng(1))
    weighted, repeated = (bootstrap_votes(data, w, metrics, quantile=0.2) for data in pair)
    for key in metrics:
        np.testing.assert_allclose(weighted[key].shares, repeated[key].shares, atol=1e-9)
    first, second = (winning_classes(data, w, "iou", quantile=0.2) for data in pair)
    np.testing.assert_array_equal(first, second)


def test_linear_explanations_and_their_inclusion(pair):
    found = [linear_explanations(data, rng=np.random.default_rng(2), held_out=1) for data in pair]
    for part in ("coefficients", "bias", "test", "transfer"):
        first, second = (getattr(f, part) for f in found)
        np.testing.assert_allclose(first, second, atol=1e-5, err_msg=part)
    first, second = (
        inclusion_frequency(data, rng=np.random.default_rng(3), replicates=5) for data in pair
    )
    np.testing.assert_allclose(first.frequency, second.frequency)
    np.testing.assert_allclose(first.mean, second.mean, atol=1e-5)


def test_range_map_counts_weights(pair):
    w = cluster_weights(pair[0].strata, 50, rng=np.random.default_rng(1))
    tables = [range_map(d, np.asarray(d.acts)[:, 0], w, bins=4, min_clusters=1) for d in pair]
    for column in ("phi", "share", "support", "entropy"):
        np.testing.assert_allclose(tables[0][column], tables[1][column], atol=1e-5)
    assert tables[0].concept.tolist() == tables[1].concept.tolist()


def test_whole_audit(pair):
    options = NeuronOptions(
        concepts=ConceptOptions(
            metrics=("iou", "pearson"), replicates=100, new_replicates=50, null_draws=5,
            quantile=0.2,
        ),
        perturbations=None, self_check=False, range_units=0,
    )  # fmt: skip
    weighted, repeated = (audit_neurons(data, options) for data in pair)
    same = ["label", "set_maxt", "size_vote", "size_conf", "size_new", "linear_length"]
    assert weighted.units[same].equals(repeated.units[same])
    close = ["score", "vote", "margin", "held_out", "linear_test", "template_agreement"]
    np.testing.assert_allclose(weighted.units[close], repeated.units[close], atol=1e-4)
    assert weighted.aliases.equals(repeated.aliases)
    # Weighted counts are not binomial, so nothing is certified from them.
    assert (weighted.units.size_ci == -1).all() and not weighted.units.identified.any()


def test_weighted_quantile_of_activity_by_hand():
    block = np.array([[1.0], [2.0], [3.0], [4.0]])
    on = active_rows(block, quantile=0.25, threshold=0.0, weights=np.array([1.0, 1, 1, 3]))
    assert on[:, 0].tolist() == [False, False, False, True], "the largest value holds half"
    on = active_rows(block, quantile=0.25, threshold=0.0, weights=np.array([5.0, 1, 1, 1]))
    assert on[:, 0].tolist() == [False, False, True, True]


def test_samples_without_weight_do_not_power_a_concept():
    concepts = np.eye(4)[:, :1]
    groups = np.arange(4)
    assert concept_prompts(concepts, groups).tolist() == [[1], [3]]
    assert concept_prompts(concepts, groups, np.array([0.0, 1, 1, 2])).tolist() == [[0], [3]]


def test_bounds_refuse_weights(pair):
    with pytest.raises(ValueError, match="samples are weighted"):
        error_curve(pair[0], 0, 0, rng=np.random.default_rng(0))
