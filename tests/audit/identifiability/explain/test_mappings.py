"""Algorithms and mappings: hand-built nets with a known place for every node."""

import numpy as np
import pytest

from circuitvar.audit.identifiability.explain.algorithms import (
    Algorithm,
    evaluate_tree,
    list_algorithms,
)
from circuitvar.audit.identifiability.explain.mappings import (
    Swaps,
    minimal_mappings,
    valid_mappings,
)
from circuitvar.audit.identifiability.nets.boolean_net import make_net
from circuitvar.tasks.language.boolean import input_rows, truth_table
from tests.audit.identifiability.toy_identifiability import golden_net, random_net


def xor_net():
    """h1 = (A or B, A and B) exactly, passed on; output = or minus and."""
    return make_net(
        [np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([[1.0, -1.0], [0.0, 1.0]]),
         np.array([[1.0, -1.0]])],
        [np.array([0.0, -1.0]), np.zeros(2), np.zeros(1)],
        slope=0.0,
    )  # fmt: skip


OR_AND_NOT_AND = Algorithm(("*", ("not", ("*", "A", "B")), ("+", "A", "B")), ("A", "B"))


def test_the_two_lists_for_xor():
    assert len(list_algorithms("xor", variant="paper")) == 56
    complete = list_algorithms("xor")
    assert len(complete) == len(set(map(str, complete))) == 132


@pytest.mark.parametrize("gate", ["xor", "and", "imp", "nor"])
@pytest.mark.parametrize("variant", ["complete", "paper"])
def test_every_algorithm_computes_its_gate(gate, variant):
    rows = input_rows(2) > 0.5
    for algorithm in list_algorithms(gate, height=2, variant=variant):
        out = evaluate_tree(algorithm.tree, {"A": rows[:, 0], "B": rows[:, 1]}, {})
        np.testing.assert_array_equal(out, truth_table(gate))


def test_placeable_nodes_leave_out_root_leaves_and_operands_of_not():
    assert str(OR_AND_NOT_AND) == "(¬(A*B)*(A+B))"
    assert OR_AND_NOT_AND.placeable == (1, 5)


def test_single_swaps_equal_running_the_net_by_hand():
    net = golden_net("k3_s0")
    swaps = Swaps(net)
    rows = input_rows(2)
    phi = lambda x: np.where(x > 0, x, 0.01 * x)  # noqa: E731
    for base in range(4):
        for source in range(4):
            h, other = (phi(net.weights[0] @ rows[i] + net.biases[0]) for i in (base, source))
            h[[0, 2]] = other[[0, 2]]
            h = phi(net.weights[1] @ h + net.biases[1])
            out = phi(net.weights[2] @ h + net.biases[2])[0] > 0.5
            assert swaps.single((1, (0, 2)))[base, source] == out


def test_joint_swaps_contain_the_single_ones():
    swaps = Swaps(golden_net("k3_s1"))
    one, two = (1, (0,)), (2, (1, 2))
    joint = swaps.joint(one, two)
    # A source equal to the base changes nothing where the first swap changed nothing either.
    base = np.arange(4)
    np.testing.assert_array_equal(joint[base, base, :], swaps.single(two)[base, :])


def test_a_node_that_is_a_neuron_is_found_there():
    net = make_net(
        [np.eye(2), np.eye(2), np.array([[1.0, 1.0]])],
        [np.zeros(2), np.zeros(2), np.array([-1.0])],
        slope=0.0,
    )  # A and B travel in separate columns; output = A and B
    algorithm = Algorithm(("*", ("not", ("not", "A")), "B"), ("A", "B"))
    found = {m.places for m in minimal_mappings(Swaps(net), algorithm)}
    assert ((1, (1, (0,))),) in found and ((1, (2, (0,))),) in found
    assert not any(places[0][1][1] == (1,) for places in found)


@pytest.mark.parametrize("seed", range(6))
def test_stricter_tests_accept_no_more(seed):
    swaps = Swaps(
        golden_net(("k3_s0", "k3_s1")[seed % 2]) if seed < 2 else random_net((2, 3, 3, 1), seed)
    )
    for algorithm in list_algorithms("xor", height=2):
        number = [
            set(valid_mappings(swaps, algorithm, variant=v))
            for v in ("all pairs", "single", "paper")
        ]
        assert number[0] <= number[1] <= number[2]


def test_minimal_mappings_contain_no_other_valid_one():
    swaps = Swaps(xor_net())
    every = list(valid_mappings(swaps, OR_AND_NOT_AND, variant="paper"))
    minimal = minimal_mappings(swaps, OR_AND_NOT_AND, variant="paper")
    for mapping in every:
        assert any(mapping.contains(m) for m in minimal)
    for one in minimal:
        assert [m for m in every if one.contains(m)] == [one]


def test_an_algorithm_without_inner_nodes_has_one_empty_mapping():
    algorithm = list_algorithms("and", height=1)[0]
    assert [m.places for m in minimal_mappings(Swaps(golden_net("k3_s0")), algorithm)] == [()]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: list_algorithms("xor", variant="all"), "use complete or paper"),
        (lambda: Swaps(random_net((2, 9, 1), 0)), "at most 8"),
        (lambda: Swaps(random_net((2, 2, 2), 0)), "split_outputs first"),
        (
            lambda: list(valid_mappings(Swaps(random_net((3, 2, 1), 0)), OR_AND_NOT_AND)),
            "has 2 inputs, the net 3",
        ),
        (
            lambda: list(valid_mappings(Swaps(golden_net("k3_s0")), OR_AND_NOT_AND, variant="x")),
            "unknown variant 'x'",
        ),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()
