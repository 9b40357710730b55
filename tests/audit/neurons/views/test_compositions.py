"""Formulas are chosen on one half of the prompts and judged on the other."""

import numpy as np
import pytest

from circuitvar.audit.neurons.data.probing_set import probing_set
from circuitvar.audit.neurons.run.audit_neurons import NeuronOptions, audit_neurons
from circuitvar.audit.neurons.similarity.cluster_resampling import ConceptOptions
from circuitvar.audit.neurons.views.compositions import composition_search, composition_table


def test_a_formula_means_the_same_on_the_samples_it_was_found_on():
    rng = np.random.default_rng(0)
    atoms = rng.integers(0, 2, (300, 4)).astype(bool)
    unit = rng.random(300) < 0.3
    for formula in composition_search(unit, atoms, list("abcd"), top=10):
        mask = formula.holds(atoms)
        assert formula.score == pytest.approx((mask & unit).sum() / (mask | unit).sum())
        assert formula.name.count(" AND ") + formula.name.count(" OR ") == len(formula.steps) - 1


def test_a_planted_conjunction_is_supported():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (600, 4))
    acts = (labels[:, [0]] & labels[:, [1]]) + 0.1 * rng.normal(size=(600, 1))
    options = NeuronOptions(
        concepts=ConceptOptions(quantile=None, threshold=0.5),
        linear=None, perturbations=None, self_check=False, compositions=2,
    )  # fmt: skip
    table = audit_neurons(probing_set(acts, labels), options).tables["compositions"]
    assert table["formula"][0] in ("(concept0 AND concept1)", "(concept1 AND concept0)")
    assert table["supported"][0]


def test_formulas_of_noise_look_good_where_searched_and_are_not_supported():
    rng = np.random.default_rng(2)
    data = probing_set(rng.normal(size=(400, 40)), rng.integers(0, 2, (400, 8)))
    half = np.arange(400) % 2 == 0
    table = composition_table(
        data, range(40), range(8), half, rng=rng, options=ConceptOptions(quantile=0.2)
    )
    assert (table["searched_iou"] - table["held_out_iou"]).mean() > 0.03
    assert table["supported"].sum() <= 2
