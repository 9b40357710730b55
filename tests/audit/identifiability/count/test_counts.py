"""Exact counts of valid circuits: stored answers, brute force, planted redundancy, errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuitvar.audit.identifiability.count.count_valid import (
    completions,
    completions_total,
    count_valid,
)
from circuitvar.audit.identifiability.count.list_valid import (
    active_nodes,
    count_minimal,
    inclusion_minimal,
    list_valid,
    only_in_space,
)
from circuitvar.audit.identifiability.count.sample_valid import edge_marginals
from circuitvar.audit.identifiability.count.strict_valid import interchange_agreement
from circuitvar.audit.identifiability.nets.boolean_net import (
    activations,
    edge_names,
    leaky,
    make_net,
    run_circuits,
    split_outputs,
)
from circuitvar.audit.identifiability.nets.question import is_valid, pose
from circuitvar.audit.identifiability.nets.space import (
    all_topologies,
    count_topologies,
    in_space,
    topologies_by_size,
)
from circuitvar.audit.identifiability.nets.types import SPACES, Count, Criterion
from circuitvar.tasks.language.boolean import GATES, input_rows, truth_table
from tests.audit.identifiability.toy_identifiability import (
    GOLDEN,
    golden_net,
    random_net,
    redundant_net,
)
from tests.oracles.brute_force import brute_force_valid

BIAS = np.zeros(1)
NETS = tuple(GOLDEN["nets"])
STORED = {"whole": "whole_space", "node rule": "peer_node_rule", "paper": "peer_as_shipped"}

TABLE = {
    2: (69, 20, 20),
    3: (9_625, 3_000, 3_000),
    4: (4_346_385, 1_067_648, 168_672),
    5: (7_271_931_361, 1_247_432_400, 1_092_035),
    6: (46_908_442_046_529, 5_202_634_902_560, 1_336_281_766),
    8: (118_493_617_609_379_140_600_065, 4_736_930_432_517_316_098_848, 1_514_983_989_840_780),
}


@pytest.mark.parametrize("width", TABLE)
def test_number_of_topologies(width):
    widths = (2, width, width, 1)
    assert tuple(count_topologies(widths, s) for s in SPACES) == TABLE[width]
    by_size = topologies_by_size(widths)
    assert sum(by_size.values()) == TABLE[width][0]
    for i, space in enumerate(SPACES):
        inside = sum(n for (_, a), n in by_size.items() if in_space(space, a, widths))
        assert inside == TABLE[width][i]


@pytest.mark.parametrize(
    ("widths", "number"),
    [((2, 3, 3, 3, 1), 2_568_433), ((3, 3, 3, 1), 94_591), ((3, 4, 4, 1), 113_011_935)],
)
def test_number_of_topologies_of_other_shapes(widths, number):
    assert count_topologies(widths) == number


def test_brute_force_lists_the_whole_space_by_size():
    kept = all_topologies((2, 3, 3, 1))
    assert len(kept) == 9_625
    sizes, number = np.unique(kept.sum(axis=1), return_counts=True)
    by_size: dict[int, int] = {}
    for (edges, _), n in topologies_by_size((2, 3, 3, 1)).items():
        by_size[edges] = by_size.get(edges, 0) + n
    assert dict(zip(sizes.tolist(), number.tolist(), strict=True)) == by_size


@pytest.mark.parametrize("name", NETS)
def test_stored_nets_are_read_the_right_way_round(name):
    net = golden_net(name)
    out = leaky(activations(net, input_rows(2))[-1][:, 0], net.slope)
    np.testing.assert_allclose(out, GOLDEN["nets"][name]["full_output"], atol=1e-12)


@pytest.mark.parametrize("name", NETS)
def test_stored_counts_in_every_space(name):
    counted = count_valid(pose(golden_net(name), "xor"))
    for space in SPACES:
        count = counted.count(space)
        assert count.value == GOLDEN["nets"][name]["valid_circuits"][STORED[space]]
        assert count.known == "exact"
    assert [c.space for c in counted.counts()] == list(SPACES)


@pytest.mark.parametrize("name", NETS)
def test_stored_tolerance_curves(name):
    deltas = GOLDEN["deltas"][:-1] if name == "k5_s0" else GOLDEN["deltas"]
    counts = [
        count_valid(pose(golden_net(name), "xor", criterion=Criterion("delta", d))).count().value
        for d in deltas
    ]
    assert counts == GOLDEN["nets"][name]["tolerance_curve"][: len(deltas)]


def test_tolerance_after_the_output_activation_differs():
    net = golden_net("k4_s0")
    counts = [
        count_valid(pose(net, "xor", criterion=Criterion("delta", d, "output"))).count().value
        for d in (0.01, 0.05, 0.1)
    ]
    assert counts == [2_695, 23_283, 116_656]


@pytest.mark.parametrize("name", ["k3_s0", "k3_s1"])
@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_stored_ladder(name, ablation):
    stored = GOLDEN["nets"][name]["criterion_ladder"][ablation]
    question = pose(golden_net(name), "xor", ablation=ablation)
    counted = count_valid(question)
    assert counted.by_size() == {int(k): v for k, v in stored["by_size"].items()}
    size, smallest = counted.smallest()
    assert (size, smallest.value) == (stored["smallest_size"], stored["smallest"])
    assert count_minimal(question).value == stored["inclusion_minimal"]
    assert edge_marginals(question).backbone.sum() == stored["backbone_edges"]


@pytest.mark.parametrize("name", ["k3_s0", "k3_s1"])
def test_valid_under_both_ablations(name):
    net = golden_net(name)
    kept = list_valid(pose(net, "xor"))
    both = is_valid(pose(net, "xor", ablation="mean"), kept).sum()
    assert both == GOLDEN["nets"][name]["criterion_ladder"]["valid_under_both"]


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    widths=st.sampled_from([(1, 2, 1), (2, 3, 1), (2, 2, 2, 1), (2, 3, 2, 1), (1, 2, 2, 2, 1)]),
    ablation=st.sampled_from(["zero", "mean", "interchange"]),
    criterion=st.sampled_from(
        [
            Criterion(),
            Criterion("threshold"),
            Criterion("delta", 0.3),
            Criterion("delta", 0.5, "output"),
        ]
    ),
)
def test_fast_listing_counts_and_marginals_equal_brute_force(seed, widths, ablation, criterion):
    table = np.random.default_rng(seed).integers(0, 2, size=2 ** widths[0])
    question = pose(random_net(widths, seed), table, criterion=criterion, ablation=ablation)
    slow = brute_force_valid(question)
    assert {bytes(row) for row in list_valid(question)} == {bytes(row) for row in slow}
    counted = count_valid(question)
    assert counted.count().value == len(slow)
    for space in SPACES:
        assert counted.count(space).value == len(only_in_space(question, slow, space))
    sizes = np.bincount(slow.sum(axis=1)) if len(slow) else np.zeros(0, int)
    assert counted.by_size() == {int(e): int(sizes[e]) for e in np.flatnonzero(sizes)}
    if len(slow):
        np.testing.assert_allclose(edge_marginals(question).inclusion, slow.mean(axis=0))


@pytest.mark.parametrize("ablation", ["zero", "mean", "interchange"])
def test_width_three_equals_brute_force(ablation):
    question = pose(golden_net("k3_s1"), "xor", ablation=ablation)
    slow = brute_force_valid(question)
    assert {bytes(row) for row in list_valid(question)} == {bytes(row) for row in slow}
    np.testing.assert_allclose(edge_marginals(question).inclusion, slow.mean(axis=0))


def test_interchange_ablation_is_patching_from_every_source():
    net = golden_net("k3_s0")
    kept = all_topologies(net.widths)[::97]
    rows, full = input_rows(2), activations(net, input_rows(2))
    good = np.ones(len(kept), dtype=bool)
    for source in range(4):
        fill = [np.repeat(layer[source : source + 1], 4, axis=0) for layer in full[:-1]]
        out = leaky(run_circuits(net, kept, rows, fill)[-1][..., 0], net.slope)
        good &= (np.round(out) == truth_table("xor")).all(axis=1)
    np.testing.assert_array_equal(is_valid(pose(net, "xor", ablation="interchange"), kept), good)


@pytest.mark.parametrize("routes", [1, 2, 5])
def test_planted_redundancy_has_the_known_count(routes):
    question = pose(redundant_net(routes), [0, 1], criterion=Criterion("threshold"))
    counted = count_valid(question)
    assert counted.count().value == 2**routes - 1
    assert counted.smallest()[0] == 2
    assert count_minimal(question).value == routes
    marginals = edge_marginals(question)
    expected = 2 ** (routes - 1) / (2**routes - 1)
    np.testing.assert_allclose(marginals.inclusion, expected)
    assert marginals.backbone.any() == (routes == 1)


def test_counts_do_not_depend_on_the_order_of_neurons_or_rows():
    net = golden_net("k4_s0")
    order = [2, 0, 3, 1]
    w, b = net.weights, net.biases
    shuffled = make_net(
        [w[0][order], w[1][order][:, order], w[2][:, order]], [b[0][order], b[1][order], b[2]]
    )
    rows, labels = input_rows(2)[[3, 1, 1, 0, 2]], truth_table("xor")[[3, 1, 1, 0, 2]]
    for other in (pose(shuffled, "xor"), pose(net, labels.tolist(), rows=rows)):
        assert count_valid(other).table == count_valid(pose(net, "xor")).table


def test_size_limit_lists_exactly_the_small_circuits():
    question = pose(golden_net("k4_s0"), "xor")
    by_size = count_valid(question).by_size()
    kept = list_valid(question, max_edges=11)
    assert len(kept) == sum(n for e, n in by_size.items() if e <= 11)
    assert is_valid(question, kept).all()
    assert active_nodes(question, kept).max() <= 8


def test_minimal_count_is_a_lower_bound_when_listing_is_cut_short():
    question = pose(golden_net("k4_s0"), "xor", ablation="interchange")
    exact = count_minimal(question)
    bound = count_minimal(question, limit=10_000)
    assert (exact.known, bound.known) == ("exact", "lower bound")
    assert 0 < bound.value <= exact.value


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_inclusion_minimal_circuits_are_an_antichain_below_everything(seed):
    kept = np.unique(np.random.default_rng(seed).random((30, 7)) < 0.5, axis=0)
    minimal = inclusion_minimal(kept)
    below = (minimal[:, None] <= kept[None]).all(axis=2)
    assert below.any(axis=0).all()
    assert (minimal[:, None] <= minimal[None]).all(axis=2).sum() == len(minimal)


def test_closed_form_of_completions():
    for parents in range(1, 4):
        for free in range(3):
            draws = np.arange(2 ** (parents * free))[:, None] >> np.arange(parents * free) & 1
            used = draws.reshape(len(draws), free, parents).any(axis=1)
            for unused in range(parents + 1):
                number = int(used[:, :unused].all(axis=1).sum())
                assert completions_total(unused, parents, free) == number
                assert sum(completions(unused, parents, free).values()) == number


def test_the_net_agrees_with_itself_under_interventions():
    question = pose(golden_net("k3_s0"), "xor")
    agreement = interchange_agreement(question, np.ones((1, 18), dtype=bool))
    assert agreement.tolist() == [1.0]
    some = interchange_agreement(question, all_topologies((2, 3, 3, 1))[::53])
    assert ((some >= 0) & (some <= 1)).all() and some.min() < 1


def test_counts_say_how_they_are_known():
    assert str(Count("circuits", 120, "exact")) == "circuits: 120 (whole space, exact)"
    assert Count("circuits", 1, "exact").bits == 0
    assert Count("circuits", 0, "exact").bits == float("-inf")
    text = str(Count("circuits", 5.0, "estimate", low=4, high=6))
    assert "estimate" in text and "95%" in text
    assert "at least" in str(Count("circuits", 5, "lower bound"))
    counted = count_valid(pose(golden_net("k3_s0"), "xor"))
    np.testing.assert_allclose(counted.share_bits(), np.log2(120) / np.log2(9_625))


def test_outputs_are_split_into_nets_that_share_hidden_layers():
    net = random_net((2, 3, 2), 0)
    whole = activations(net, input_rows(2))[-1]
    parts = [activations(one, input_rows(2))[-1][:, 0] for one in split_outputs(net)]
    np.testing.assert_allclose(np.column_stack(parts), whole)
    assert edge_names((1, 1, 1)) == ("x0->h1.0", "h1.0->out0")


def test_gates_are_boolean_tables():
    for name, table in GATES.items():
        np.testing.assert_array_equal(truth_table(name.upper()), table)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: truth_table("xnor"), "unknown gate 'xnor'"),
        (lambda: truth_table([0, 1, 1]), "2, 4, 8"),
        (lambda: truth_table([0, 1, 0.5, 1]), "only 0 and 1; got .*0.5"),
        (lambda: pose(golden_net("k3_s0"), "majority"), "2 inputs needs 4 labels; got 8"),
        (lambda: pose(random_net((2, 2, 2), 0), "xor"), "split_outputs first"),
        (lambda: pose(golden_net("k3_s0"), "xor", ablation="median"), "unknown ablation 'median'"),
        (
            lambda: pose(golden_net("k3_s0"), "xor", criterion=Criterion("delta", -1)),
            "delta must be 0 or more",
        ),
        (
            lambda: pose(golden_net("k3_s0"), [0, 1, 2], rows=np.zeros((3, 2))),
            "labels must be 0 or 1",
        ),
        (lambda: count_topologies((2, 3)), "at least one hidden layer"),
        (lambda: count_topologies((2, 3, 3, 1), "peer"), "unknown space 'peer'"),
        (lambda: all_topologies((2, 4, 4, 1)), "brute force stops at 20 edges"),
        (lambda: count_valid(pose(random_net((2, 10, 10, 1), 0), "xor")), "use estimate_valid"),
        (lambda: count_valid(pose(random_net((2, 8, 8, 1), 0), "xor")), "62 bits"),
        (lambda: list_valid(pose(golden_net("k4_s0"), "xor"), limit=1000), "more than 1,000 valid"),
        (lambda: make_net([np.ones((2, 2))], [np.zeros(2)]), "at least two"),
        (lambda: make_net([np.ones((2, 2)), np.ones((1, 3))], [np.zeros(2), BIAS]), "reads 3"),
        (
            lambda: make_net([np.full((1, 1), np.nan), np.ones((1, 1))], [BIAS, BIAS]),
            "layer 0 holds NaN",
        ),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_criterion_that_nothing_meets_says_so():
    net = make_net([np.zeros((1, 1)), np.zeros((1, 1))], [np.zeros(1), np.zeros(1)])
    question = pose(net, [0, 1])
    counted = count_valid(question)
    assert counted.count().value == 0
    with pytest.raises(ValueError, match="no circuit in the whole space meets the criterion"):
        counted.smallest()
    with pytest.raises(ValueError, match="no circuit meets"):
        edge_marginals(question)
