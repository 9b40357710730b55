"""T8, T9, T11: linear explanations, range maps, compositions, substitution score."""

import numpy as np
import pytest

from circuitvar.audit.neurons.data.probing_set import probing_set
from circuitvar.audit.neurons.linear.inclusion_frequency import inclusion_frequency, inclusion_table
from circuitvar.audit.neurons.linear.linear_explanation import (
    LinearOptions,
    explanation_text,
    linear_explanations,
    linear_table,
    simulate,
    split_clusters,
)
from circuitvar.audit.neurons.linear.linear_gram import elastic_net, explained_correlation, gram
from circuitvar.audit.neurons.on_models.adapters import substitution_score
from circuitvar.audit.neurons.run.audit_neurons import NeuronOptions, audit_neurons
from circuitvar.audit.neurons.similarity.cluster_resampling import ConceptOptions, cluster_weights
from circuitvar.audit.neurons.views.activation_ranges import polysemantic, range_edges, range_map
from circuitvar.audit.neurons.views.compositions import composition_search
from tests.audit.neurons.toy_neurons import duplicate_name_neuron, planted_weights


@pytest.fixture(scope="module")
def planted():
    return planted_weights()


def test_elastic_net_equals_scikit_learn(planted):
    linear_model = pytest.importorskip("sklearn.linear_model")
    data, _, _ = planted
    x, y = data.concepts.astype(float), np.asarray(data.acts)
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean(0)) / y.std(0)
    got = elastic_net(gram(data, np.ones(1200)), tolerance=1e-10)
    expected = linear_model.ElasticNet(alpha=0.05, l1_ratio=0.99, tol=1e-12).fit(x, y).coef_.T
    # Gram matrices hold products of float32 activations.
    np.testing.assert_allclose(got, expected, atol=2e-6)
    positive = linear_model.ElasticNet(alpha=0.05, l1_ratio=0.99, tol=1e-12, positive=True)
    got = elastic_net(gram(data, np.ones(1200)), positive=True, tolerance=1e-10)
    np.testing.assert_allclose(got, positive.fit(x, y).coef_.T, atol=2e-6)


def test_elastic_net_settles_on_columns_that_coincide(planted):
    data, _, _ = planted
    doubled = probing_set(data.acts, np.hstack([data.concepts, data.concepts[:, :2]]))
    single, both = (elastic_net(gram(d, np.ones(1200))) for d in (data, doubled))
    merged = both[:10].copy()
    merged[:2] += both[10:]
    np.testing.assert_allclose(merged, single, atol=2e-3)
    with pytest.raises(ValueError, match="did not converge in 1 sweeps"):
        elastic_net(gram(data, np.ones(1200)), max_sweeps=1)


def test_explanations_carry_to_new_prompts_and_templates_only_when_true_there():
    rng = np.random.default_rng(1)
    concepts = rng.random((900, 4)) < 0.4
    template = np.repeat(["a", "b", "c"], 300)
    same = concepts[:, 0] + 0.2 * rng.normal(size=900)
    local = np.where(template == "c", concepts[:, 1], concepts[:, 2])
    acts = np.column_stack([same, local + 0.2 * rng.normal(size=900)])
    data = probing_set(acts, concepts, strata=template)
    carried = []
    for seed in range(12):
        found = linear_explanations(data, rng=np.random.default_rng(seed), held_out=1)
        assert found.transfer[0] > 0.8 and found.test[0] > 0.8
        if found.held_out == ("c",):
            carried.append(found.transfer[1] < 0.2 < found.test[1])
    assert carried and all(carried)


def test_dead_units_have_no_explanation_and_text_reads_well(planted):
    data, _, _ = planted
    acts = np.column_stack([np.asarray(data.acts)[:, 0], np.full(1200, 2.0)])
    rng = np.random.default_rng(0)
    found = linear_explanations(probing_set(acts, data.concepts, names="abcdefghij"), rng=rng)
    assert found.length.tolist() == [3, 0]
    assert explanation_text(found, 1) == "no explanation"
    assert explanation_text(found, 0).count("+") + explanation_text(found, 0).count("-") >= 2
    np.testing.assert_allclose(simulate(found, data.concepts)[:, 1], 2.0)
    assert np.isnan(found.test[1]) and len(linear_table(found)) == 3


def test_correlation_from_gram_matrices_is_the_sample_correlation(planted):
    data, weights, _ = planted
    got = explained_correlation(gram(data, np.ones(1200)), weights)
    prediction = data.concepts @ weights
    for u in range(6):
        expected = np.corrcoef(prediction[:, u], np.asarray(data.acts)[:, u])[0, 1]
        assert got[u] == pytest.approx(expected, abs=1e-6)


def test_inclusion_separates_planted_from_other_concepts(planted):
    data, weights, _ = planted
    found = inclusion_frequency(data, rng=np.random.default_rng(2), replicates=20)
    assert found.frequency[weights != 0].mean() >= 0.95
    assert found.frequency[weights == 0].mean() < 0.05
    np.testing.assert_array_equal(found.sign[weights != 0], 1)
    inside = (found.low <= weights) & (weights <= found.high)
    assert inside[weights != 0].mean() > 0.7
    assert set(inclusion_table(found, data).columns) >= {"inclusion", "sign_agreement"}


def test_positive_weights_drop_negative_evidence(planted):
    data, weights, _ = planted
    options = LinearOptions(signed=False)
    found = linear_explanations(data, rng=np.random.default_rng(0), options=options)
    negative = (weights < 0) & (found.coefficients < -0.5)
    assert not negative.any() and (weights < 0).any()


def test_splits_are_disjoint_by_cluster_and_stratum():
    data = probing_set(np.zeros((60, 1)), np.zeros((60, 1)), strata=np.repeat(list("abc"), 20))
    parts = split_clusters(data, rng=np.random.default_rng(0), held_out=1)
    total = sum(parts.values())
    np.testing.assert_array_equal(total, 1)
    away = np.unique(data.strata[parts["transfer"] > 0])
    assert len(away) == 1 and parts["train"][data.strata == away[0]].sum() == 0
    assert parts["train"].sum() == 28
    with pytest.raises(ValueError, match="at least one must remain"):
        split_clusters(data, rng=np.random.default_rng(0), held_out=3)
    with pytest.raises(ValueError, match="leave the test split empty"):
        tiny = probing_set(np.zeros((2, 1)), np.zeros((2, 1)))
        split_clusters(tiny, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def polysemantic_unit():
    """High on concept 0, middling on concept 1, near zero otherwise."""
    rng = np.random.default_rng(4)
    which = rng.choice(6, 3000, p=[0.05, 0.15, 0.2, 0.2, 0.2, 0.2])
    values = np.abs(0.3 * rng.normal(size=3000)) + 6.0 * (which == 0) + 3.0 * (which == 1)
    names = ("top", "middle", "c", "d", "e", "f")
    return probing_set(values[:, None], np.eye(6)[which], names=names), values


def test_range_map_recovers_both_concepts_and_flags_the_unit(polysemantic_unit):
    data, values = polysemantic_unit
    w = cluster_weights(data.strata, 200, rng=np.random.default_rng(0))
    for by in ("width", "quantile"):
        table = range_map(data, values, w, by=by, impact=values)
        assert {"top", "middle"} <= set(table.concept)
        assert polysemantic(table)
        assert table.impact.sum() == pytest.approx(1)
        assert table.samples.sum() == 3000
    assert table.concept.iloc[-1] == "top"
    single = probing_set(data.concepts[:, :1], data.concepts, names=data.names)
    clean = data.concepts[:, 0] * 4 + 0.5 * np.abs(np.random.default_rng(1).normal(size=3000))
    assert not polysemantic(range_map(single, clean, w))
    with pytest.raises(ValueError, match="unit is constant"):
        range_map(single, np.ones(3000), w)
    with pytest.raises(ValueError, match="at least 2"):
        range_edges(values, bins=1)


def test_audit_of_a_polysemantic_unit_reports_both_concepts(polysemantic_unit):
    data, _ = polysemantic_unit
    options = NeuronOptions(
        concepts=ConceptOptions(replicates=200, new_replicates=100, null_draws=10),
        perturbations=None,
    )
    audit = audit_neurons(data, options)
    row = audit.units.iloc[0]
    assert row.polysemantic and row.linear_length == 2
    weights = audit.tables["linear"].set_index("concept").weight
    assert weights["top"] == pytest.approx(6.0, abs=0.2)
    assert weights["middle"] == pytest.approx(3.0, abs=0.2)
    assert audit.tables["inclusion"].set_index("concept").inclusion["middle"] == 1


def test_compositions_find_the_planted_formula_and_count_correctly():
    rng = np.random.default_rng(5)
    concepts = rng.random((501, 8)) < 0.4
    names = list("abcdefgh")
    planted = (concepts[:, 1] & ~concepts[:, 4]) | concepts[:, 6]
    best = composition_search(planted, concepts, names)[0]
    np.testing.assert_array_equal(best.holds(concepts), planted)
    assert best.score == 1 and len(best.steps) == 3
    noisy = planted ^ (rng.random(501) < 0.1)
    for measure in ("iou", "phi"):
        top = composition_search(noisy, concepts, names, measure=measure)
        assert np.array_equal(top[0].holds(concepts), planted)
        for formula in top:
            mask = formula.holds(concepts)
            iou = (mask & noisy).sum() / (mask | noisy).sum()
            phi = np.corrcoef(mask, noisy)[0, 1]
            assert formula.score == pytest.approx(iou if measure == "iou" else phi)
    assert composition_search(noisy, concepts, names, length=1)[0].steps[1:] == ()
    with pytest.raises(ValueError, match="1 to 3 atoms"):
        composition_search(noisy, concepts, names, length=4)
    with pytest.raises(ValueError, match="iou or phi"):
        composition_search(noisy, concepts, names, measure="f1")


def test_transformer_neuron_is_labelled_by_its_composition():
    tokens, neuron, name, seen = duplicate_name_neuron(np.random.default_rng(6))
    prompts, length = tokens.shape
    atoms = {"name": name, "seen": seen, "even": tokens % 2 == 0}
    atoms |= {f"token {t}": tokens == t for t in range(5)}
    concepts = np.stack([a.ravel() for a in atoms.values()], axis=1)
    active = neuron.ravel() > 0
    best = composition_search(active, concepts, list(atoms))[0]
    assert best.name in ("(name AND seen)", "(seen AND name)")
    data = probing_set(
        neuron.ravel()[:, None] + np.zeros((1, 1)),
        np.column_stack([concepts, best.holds(concepts)]),
        groups=np.repeat(np.arange(prompts), length),
        names=[*atoms, best.name],
    )
    options = NeuronOptions(
        concepts=ConceptOptions(replicates=200, new_replicates=50, quantile=None, null_draws=10),
        linear=None, perturbations=None, self_check=False, range_units=0,
    )  # fmt: skip
    audit = audit_neurons(data, options)
    assert best.name in audit.units.set_maxt[0]
    assert audit.units.verdict[0] == "stable"


def test_substitution_score_known_values():
    rng = np.random.default_rng(0)
    y = rng.normal(size=50) + 3
    zero, half = np.zeros(50), y / 2
    assert substitution_score(y, y, zero, rng=rng).value == 1
    assert substitution_score(y, zero, zero, rng=rng).value == 0
    mid = substitution_score(y, half, zero, rng=rng)
    assert mid.value == pytest.approx(0.5) and mid.low <= 0.5 <= mid.high
    assert substitution_score(y, -y, zero, rng=rng).value == pytest.approx(-1)
    assert np.isnan(substitution_score(y, y, y, rng=rng).value)
    with pytest.raises(ValueError, match="NaN or infinity"):
        substitution_score(y, np.full(50, np.nan), zero, rng=rng)
