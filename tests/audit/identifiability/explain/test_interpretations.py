"""Interpretations of circuits: stored answers and a naive product over all assignments."""

from itertools import pairwise, product

import numpy as np
import pytest

from circuitvar.audit.identifiability.count.list_valid import list_valid, only_in_space
from circuitvar.audit.identifiability.explain import interpretations
from circuitvar.audit.identifiability.explain.interpretations import count_interpretations, fits
from circuitvar.audit.identifiability.nets.boolean_net import layer_masks, leaky, run_circuits
from circuitvar.audit.identifiability.nets.question import Question, pose
from circuitvar.audit.identifiability.nets.types import Criterion
from tests.audit.identifiability.toy_identifiability import (
    GOLDEN,
    golden_net,
    random_net,
    redundant_net,
)


@pytest.mark.parametrize("name", ["k3_s0", "k3_s1"])
@pytest.mark.parametrize(
    ("space", "stored"), [("paper", "peer_node_rule"), ("whole", "whole_space")]
)
def test_stored_interpretations(name, space, stored):
    question = pose(golden_net(name), "xor")
    per = count_interpretations(question, only_in_space(question, list_valid(question), space))
    answer = GOLDEN["nets"][name]["interpretations"][stored]
    assert sum(i.completed for i in per) == answer["completed"]
    assert sum(i.open for i in per) == answer["open"]
    assert all(i.open <= i.completed for i in per)


def naive(question: Question, kept: np.ndarray) -> tuple[int, int]:
    """All choices of one table per active neuron, each checked against its parents."""
    net = question.net
    layers = [x[0] for x in run_circuits(net, kept[None], question.rows, question.fill)]
    masks = [m[0] for m in layer_masks(kept[None], net.widths)]
    units = [(layer, u) for layer, m in enumerate(masks, 1) for u in np.flatnonzero(m.any(axis=1))]
    tables = {}
    for layer, u in units:
        if layer == len(masks):
            tables[layer, u] = [tuple(np.round(leaky(layers[layer][:, u], net.slope)).astype(int))]
            continue
        values = np.unique(layers[layer][:, u])
        tables[layer, u] = [
            tuple((layers[layer][:, u] > (a + b) / 2).astype(int)) for a, b in pairwise(values)
        ]
    completed = opened = 0
    for choice in product(*(tables[unit] for unit in units)):
        pick = dict(zip(units, choice, strict=True))
        ways = 1
        for layer, u in units:
            if layer == 1:
                continue
            parents = [pick[layer - 1, p] for p in np.flatnonzero(masks[layer - 1][u])]
            ways *= _gates(pick[layer, u], parents)
        completed += ways
        opened += ways > 0
    return completed, opened


def _gates(table, parents) -> int:
    number = 0
    patterns = list(product((0, 1), repeat=len(parents)))
    for gate in product((0, 1), repeat=len(patterns)):
        if len(parents) == 2 and gate in ((0, 1, 1, 0), (1, 0, 0, 1)):
            continue
        lookup = dict(zip(patterns, gate, strict=True))
        number += all(lookup[tuple(p[r] for p in parents)] == table[r] for r in range(len(table)))
    return number


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_both_ways_equal_the_naive_product(seed, ablation, monkeypatch):
    net = random_net((2, 2, 3, 1), seed)
    question = pose(net, "xor", criterion=Criterion("delta", 5.0), ablation=ablation)
    kept = list_valid(question)[::41]
    for row, fast in zip(kept, count_interpretations(question, kept), strict=True):
        assert (fast.completed, fast.open) == naive(question, row)
    monkeypatch.setattr(interpretations, "fits", lambda widths, n_rows: False)
    for row, slow in zip(kept, count_interpretations(question, kept), strict=True):
        assert (slow.completed, slow.open) == naive(question, row)


@pytest.mark.parametrize("widths", [(2, 3, 3, 1), (2, 1, 3, 1), (1, 3, 2, 1)])
@pytest.mark.parametrize("seed", range(3))
def test_arrays_equal_the_layer_pass(widths, seed, monkeypatch):
    question = pose(
        random_net(widths, seed), [0, 1, 1, 0][: 2 ** widths[0]], criterion=Criterion("delta", 9.0)
    )
    kept = list_valid(question)
    kept = kept[:: max(1, len(kept) // 200)]
    assert fits(widths, len(question.rows))
    fast = count_interpretations(question, kept)
    monkeypatch.setattr(interpretations, "fits", lambda widths, n_rows: False)
    assert fast == count_interpretations(question, kept)
    assert len({i.completed for i in fast}) > 1


def test_wide_deep_and_three_input_nets_take_the_layer_pass():
    assert not fits((2, 4, 4, 1), 4) and not fits((2, 3, 1), 4) and not fits((3, 3, 3, 1), 8)
    question = pose(random_net((3, 2, 2, 1), 0), "parity", criterion=Criterion("delta", 9.0))
    kept = list_valid(question)[::97][:6]
    for row, slow in zip(kept, count_interpretations(question, kept), strict=True):
        assert (slow.completed, slow.open) == naive(question, row)


def test_no_circuits_have_no_numbers():
    for widths in ((2, 3, 3, 1), (2, 4, 4, 1)):
        question = pose(random_net(widths, 0), "xor")
        none = np.zeros((0, question.net.n_edges), dtype=bool)
        assert count_interpretations(question, none) == ()


def test_a_constant_neuron_leaves_no_interpretation():
    net = random_net((1, 1, 1), 0)
    dead = type(net)((np.zeros((1, 1)), np.ones((1, 1))), (np.ones(1), np.zeros(1)))
    question = pose(dead, [1, 1])
    found = count_interpretations(question, np.ones((1, 2), dtype=bool))
    assert (found[0].completed, found[0].open) == (0, 0)


def test_one_wire_has_one_interpretation():
    question = pose(redundant_net(1), [0, 1])
    found = count_interpretations(question, np.ones((1, 2), dtype=bool))
    assert (found[0].completed, found[0].open) == (1, 1)


def test_interchange_rows_are_refused():
    question = pose(golden_net("k3_s0"), "xor", ablation="interchange")
    with pytest.raises(ValueError, match="one run per input"):
        count_interpretations(question, np.ones((1, 18), dtype=bool))
