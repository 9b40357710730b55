"""What must not matter: order of rows and edges, chunk size, memory, labels of templates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.audit.agreement.axis import bootstrap_axis, runs_axis
from circuitvar.audit.agreement.halves import halves_agreement
from circuitvar.audit.agreement.wording import group_means, wording
from circuitvar.audit.edges.edge_summary import edge_summary, sign_test
from circuitvar.audit.edges.edge_tests import max_t
from circuitvar.audit.intervals import ratio_of_means
from circuitvar.audit.resampling.replicate_sets import replicate_sets
from circuitvar.audit.resampling.weights import Resamples, bootstrap
from circuitvar.audit.variance.component_intervals import component_interval
from circuitvar.audit.variance.variance_components import within_between
from circuitvar.circuits.find import top_n_masks

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


def test_summaries_do_not_depend_on_the_order_of_examples_or_the_width_of_blocks():
    order, labels = RNG.permutation(48), np.array(TEMPLATES)
    for clusters, turned in ((None, None), (labels, labels[order])):
        first = edge_summary(SCORES, clusters=clusters)
        for other in (
            edge_summary(SCORES[order], clusters=turned),
            edge_summary(SCORES, clusters=clusters, columns_at_once=7),
        ):
            for name in ("mean", "sd", "se", "sign_consistency", "snr"):
                np.testing.assert_allclose(getattr(first, name), getattr(other, name))
            np.testing.assert_allclose(sign_test(first), sign_test(other))


def test_components_do_not_depend_on_the_order_of_examples_or_edges():
    rows, edges, labels = RNG.permutation(48), RNG.permutation(70), np.array(TEMPLATES)
    first = within_between(SCORES, labels)[0]
    turned = within_between(SCORES[rows][:, edges], labels[rows])[0]
    for name in first.names:
        a, b = component_interval(first, name), component_interval(turned, name)
        np.testing.assert_allclose(np.stack(a)[:, edges], np.stack(b))


def test_ratios_do_not_depend_on_the_order_of_examples():
    order = RNG.permutation(48)
    names = tuple(f"t{i % 12}" for i in range(48))
    first = ratio_of_means("", SCORES[:, 0], 2 + SCORES[:, 1] ** 2, templates=names)
    turned = ratio_of_means(
        "", SCORES[order, 0], 2 + SCORES[order, 1] ** 2, templates=tuple(names[i] for i in order)
    )
    assert (first.value, first.se) == pytest.approx((turned.value, turned.se))


def test_bootstrap_axes_do_not_depend_on_the_order_of_replicates_prompts_or_edges():
    r = bootstrap(48, 30, rng=np.random.default_rng(4))
    replicates, rows, edges = RNG.permutation(30), RNG.permutation(48), RNG.permutation(70)
    turned = Resamples(
        r.weights[replicates][:, rows], r.counts[replicates][:, rows], r.scheme, r.unit, r.size
    )
    first, _ = bootstrap_axis(SCORES, r, size=9)
    other, _ = bootstrap_axis(SCORES[rows][:, edges], turned, size=9)
    for index in ("phi", "jaccard"):
        a, b = getattr(first, index), getattr(other, index)
        assert (a.value, a.se) == pytest.approx((b.value, b.se), rel=1e-6)


@pytest.mark.parametrize("chunk", [3, 64])
def test_max_t_does_not_depend_on_the_order_of_edges(chunk):
    order, summary = RNG.permutation(70), edge_summary(SCORES)
    first = max_t(SCORES, summary, rng=np.random.default_rng(5), replicates=99, chunk=chunk)
    turned = max_t(
        SCORES[:, order], edge_summary(SCORES[:, order]), rng=np.random.default_rng(5),
        replicates=99, chunk=chunk,
    )  # fmt: skip
    np.testing.assert_allclose(first.step_down[order], turned.step_down)
    assert first.critical == pytest.approx(turned.critical, rel=1e-5)


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
    runs = top_n_masks(scores, n, signed=signed)
    streamed = replicate_sets(scores, np.eye(6), size=n, signed=signed, chunk=2).masks()
    np.testing.assert_array_equal(runs, streamed)
    assert not runs[scores == 0].any()
