"""Name pools and training seeds as axes: matched units, agreement, the ledger they join."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.audit.neurons.data.probing_set import probing_set, take_samples, take_units
from circuitvar.audit.neurons.data.types import ProbingSet
from circuitvar.audit.neurons.similarity.cluster_resampling import ConceptOptions
from circuitvar.audit.neurons.views.match_units import match_units, seed_agreement, unit_layers
from circuitvar.audit.neurons.views.perturbation_tables import SEED_AXIS, perturbation_tables
from circuitvar.audit.neurons.views.perturbations import PerturbationOptions
from tests.audit.neurons.toy_neurons import planted_units

FEW = PerturbationOptions(
    resamples=2, sizes=(), label_noise=(), activation_noise=(), metrics=("pearson",)
)


def renamed(data: ProbingSet, units: list[str], order=None) -> ProbingSet:
    """The same samples with units in another order under other names."""
    acts = np.asarray(data.acts)
    acts = acts if order is None else acts[:, order]
    return probing_set(acts, data.concepts, groups=data.groups, units=units, names=data.names)


@given(seed=st.integers(0, 1000), twist=st.booleans())
@settings(deadline=None, max_examples=20)
def test_permuted_scaled_units_are_found_again(seed, twist):
    rng = np.random.default_rng(seed)
    names = [f"m{layer}.n{i}" for layer in range(2) for i in range(4)]
    data = probing_set(rng.normal(size=(60, 8)), rng.integers(0, 2, (60, 3)), units=names)
    order = np.concatenate([rng.permutation(4), 4 + rng.permutation(4)])
    acts = 3 * np.asarray(data.acts)[:, order] + 7 * twist
    other = probing_set(acts, data.concepts, units=names)
    found, correlation = match_units(data, other)
    np.testing.assert_array_equal(order[found], np.arange(8))
    np.testing.assert_allclose(correlation, 1)


def test_matching_stays_in_the_layer_and_uses_each_unit_once():
    rng = np.random.default_rng(0)
    acts = rng.normal(size=(50, 2))
    concepts = rng.integers(0, 2, (50, 1))
    data = probing_set(acts, concepts, units=["m0.n0", "m1.n0"])
    # The perfect copy of m0.n0 is in layer 1, so it may not be taken.
    other = probing_set(
        np.column_stack([rng.normal(size=50), np.ones(50), acts[:, 0], acts[:, 1]]),
        concepts, units=["m0.n0", "m0.n1", "m1.n0", "m1.n1"],
    )  # fmt: skip
    found, correlation = match_units(data, other)
    assert found[0] in (0, 1) and found[1] == 3
    assert correlation[1] == pytest.approx(1) and abs(correlation[0]) < 0.5
    with pytest.raises(ValueError, match="layer m0 has 2 units to match but the other model has 1"):
        match_units(other, data)
    with pytest.raises(ValueError, match="there are 50 and 49; run both models on the same"):
        match_units(data, take_samples(other, np.arange(49)))
    assert unit_layers(("a3.h1", "m0.n12<pre>", "unit4", "a0.h1->m2")).tolist() == [
        "a3", "m0", "", "",
    ]  # fmt: skip


def test_seed_agreement_by_hand():
    data = probing_set(np.arange(8.0).reshape(2, 4), [[0], [1]])
    labels = np.array([0, 0, 1, -1])
    codes = np.array([0, 1, 1, 0])
    row = seed_agreement(
        labels, data.units, {"s": (data, codes, np.arange(4), np.array([1.0, 0.5, 0.0, 0.9]))}
    ).iloc[0]
    assert row.units == 3 and row.matched_correlation == pytest.approx(0.5)
    assert row.matched_agreement == pytest.approx(2 / 3)
    # Label 0 is on half of the other model's units, label 1 as well.
    assert row.random_agreement == pytest.approx(0.5)
    # Shares 2/3, 1/3 against 1/2, 1/2.
    assert row.label_overlap == pytest.approx(1 - 1 / 6)


def test_a_permuted_model_keeps_its_labels_and_an_unrelated_one_does_not():
    data, truth = planted_units(120, 6, 12, 6, beta=2.0, seed=0)
    rng = np.random.default_rng(1)
    shuffled = rng.permutation(12)
    names = list(data.units)
    twin = renamed(data, names, shuffled)
    noise = probing_set(
        rng.normal(size=(data.n_samples, 12)), data.concepts,
        groups=data.groups, names=data.names, units=names,
    )  # fmt: skip
    members = [[c] for c in range(data.n_concepts)]
    tables = perturbation_tables(
        data, truth, ConceptOptions(), rng=rng, members=members, options=FEW,
        other_models={"twin": twin, "noise": noise},
    )  # fmt: skip
    seeds = tables["seeds"].set_index("model")
    assert seeds.matched_agreement["twin"] == 1 and seeds.label_overlap["twin"] == 1
    assert seeds.random_agreement["twin"] == pytest.approx(1 / 12)
    assert seeds.matched_agreement["noise"] < 0.5
    ledger = tables["ledger"].set_index("axis")
    assert ledger.runs[SEED_AXIS] == 2 and ledger.agreement.between(0, 1).all()
    np.testing.assert_allclose(ledger.agreement + ledger.disagreement, 1)
    levels = tables["perturbations"].set_index(["axis", "level"])
    assert levels.flip_rate[(SEED_AXIS, "twin")] == 0
    assert levels.agreement[(SEED_AXIS, "noise")] == pytest.approx(seeds.matched_agreement["noise"])


def test_other_samples_of_the_same_units_are_an_axis():
    """Without a concept in the pool, exactly the units that had it as label lose theirs."""
    data, truth = planted_units(160, 5, 10, 5, beta=2.5, seed=0)
    other, _ = planted_units(160, 5, 10, 5, beta=2.5, seed=1)
    concepts = other.concepts.copy()
    concepts[:, 7] = 0
    without = probing_set(other.acts, concepts, groups=other.groups)
    members = [[c] for c in range(10)]
    tables = perturbation_tables(
        data, truth, ConceptOptions(), rng=np.random.default_rng(0), members=members, options=FEW,
        other_data={"name pool": {"fresh": other, "without": without}},
    )  # fmt: skip
    rate = tables["perturbations"].set_index(["axis", "level"]).flip_rate
    assert rate[("name pool", "fresh")] == 0
    assert rate[("name pool", "without")] == pytest.approx((truth == 7).mean())
    assert "seeds" not in tables
    common = {
        "rng": np.random.default_rng(0), "members": members, "options": FEW,
    }  # fmt: skip
    fewer = {"name pool": {"a": take_units(other, np.arange(4))}}
    with pytest.raises(ValueError, match="name pool 'a' has other units"):
        perturbation_tables(data, truth, ConceptOptions(), other_data=fewer, **common)
    narrow = {"b": probing_set(other.acts, other.concepts[:, :9], groups=other.groups)}
    with pytest.raises(ValueError, match="model 'b' has other concepts"):
        perturbation_tables(data, truth, ConceptOptions(), other_models=narrow, **common)
