"""Method noise next to true degeneracy: sources of re-runs, matched units, the two numbers."""

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.identifiability.count.list_valid import list_valid
from circuitvar.audit.identifiability.count.sample_valid import pairwise_jaccard
from circuitvar.audit.identifiability.nets.boolean_net import BooleanNet, layer_masks
from circuitvar.audit.identifiability.nets.question import is_valid, pose
from circuitvar.audit.identifiability.nets.types import Criterion
from circuitvar.audit.identifiability.reruns.degeneracy import compare_seeds, unit_permutations
from circuitvar.audit.identifiability.reruns.noise_table import (
    found_circuit,
    noise_table,
    overlap_rows,
)
from circuitvar.audit.identifiability.reruns.rediscover import (
    SOURCES,
    backwards,
    prune_in_order,
    rediscover,
)
from tests.audit.identifiability.toy_identifiability import golden_net, redundant_net


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def renumbered(net: BooleanNet, order: list[int]) -> BooleanNet:
    """The same function with the units of the first hidden layer renumbered."""
    w, b = list(net.weights), list(net.biases)
    w[0], b[0], w[1] = w[0][order], b[0][order], w[1][:, order]
    return BooleanNet(tuple(w), tuple(b), net.slope)


def test_prompts_without_noise_always_give_the_same_circuit():
    question = pose(golden_net("k3_s0"), "xor")
    found = rediscover(question, "prompts", 5, noise=0.0, rng=rng())
    alone = prune_in_order(question, backwards(question.net))[0]
    assert (found == alone).all() and len(found) == 5
    assert found_circuit(question)[0]["circuit"] == "".join(map(str, alone.astype(int)))


def test_batches_give_circuits_that_are_minimal_on_their_rows():
    question = pose(golden_net("k3_s1"), "xor")
    found = rediscover(question, "batches", 60, rng=rng())
    drawn = rng().integers(4, size=(60, 4))
    x, y = question.rows, question.labels
    for circuit, batch in zip(found, drawn, strict=True):
        some = np.unique(batch)
        one = pose(question.net, y[some], rows=x[some])
        assert is_valid(one, circuit[None])[0]
        if len(some) == 4:
            assert is_valid(question, circuit[None])[0]
    assert len(np.unique(found, axis=0)) > 1
    assert 0 < is_valid(question, found).mean() < 1


@pytest.mark.parametrize("ablation", ["zero", "mean", "interchange"])
def test_every_source_gives_circuits_of_the_graph(ablation):
    question = pose(golden_net("k3_s0"), "xor", ablation=ablation)
    for source in SOURCES:
        found = rediscover(question, source, 6, rng=rng())
        assert found.shape[1] == 18 and found.dtype == bool
        if source == "edge orders":
            assert is_valid(question, found).all()


def test_bad_sources_say_what_is_possible():
    question = pose(golden_net("k3_s0"), "xor")
    with pytest.raises(ValueError, match="unknown source 'weather'; choose one of edge orders"):
        rediscover(question, "weather", 2, rng=rng())
    part = pose(question.net, [0, 1], rows=np.array([[0.0, 0.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="need a question about the whole truth table"):
        rediscover(part, "batches", 2, rng=rng())


def test_renumbered_nets_agree_only_after_matching():
    net = golden_net("k3_s0")
    nets = [net, renumbered(net, [2, 0, 1]), renumbered(net, [1, 0, 2])]
    kept = list_valid(pose(net, "xor"))[:1]
    columns = [np.arange(18)]
    for order in ([2, 0, 1], [1, 0, 2]):
        masks = [np.arange(6).reshape(3, 2)[order], 6 + np.arange(9).reshape(3, 3)[:, order],
                 15 + np.arange(3)]  # fmt: skip
        columns.append(np.concatenate([m.ravel() for m in masks]))
    same = np.concatenate([kept[:, c] for c in columns])
    for one, circuit in zip(nets, same, strict=True):
        assert is_valid(pose(one, "xor"), circuit[None])[0]
    both = compare_seeds(same, net.widths, rng=rng())
    assert both.matched is not None and both.matched.mean == 1.0
    assert both.plain.mean < 1
    assert both.matched_chance < 1


def test_permutations_keep_every_layer_and_come_once():
    orders = unit_permutations((2, 3, 2, 1))
    assert len(orders) == 12 and len(np.unique(orders, axis=0)) == 12
    kept = rng().random((1, 14)) < 0.5
    for order in orders:
        for a, b in zip(
            layer_masks(kept, (2, 3, 2, 1)), layer_masks(kept[:, order], (2, 3, 2, 1)), strict=True
        ):
            assert a.sum() == b.sum()
            assert sorted(a.sum(axis=2).ravel()) == sorted(b.sum(axis=2).ravel())


def test_too_many_permutations_leave_only_names():
    kept = np.ones((2, 12 + 36 + 6), bool)
    both = compare_seeds(kept, (2, 6, 6, 1), rng=rng())
    assert both.matched is None and both.plain.mean == 1


def test_planted_redundancy_has_the_degeneracy_of_its_routes():
    """Valid circuits are the non-empty subsets of three copies, found ones are single copies."""
    question = pose(redundant_net(3), [0, 1], criterion=Criterion("threshold"))
    rows = {r["circuits"]: r for r in overlap_rows(question, valid=7, samples=400, rng=rng())}
    valid = list_valid(question)
    assert len(valid) == 7
    # Two independent uniform draws, all 49 pairs.
    jaccard = [(a & b).sum() / (a | b).sum() for a in valid for b in valid]
    assert rows["equally valid"]["jaccard"] == pytest.approx(np.mean(jaccard), abs=0.03)
    orders = rows["found over edge orders"]
    # One copy is left, each as likely: two runs agree a third of the time, else share nothing.
    assert orders["jaccard"] == pytest.approx(1 / 3, abs=0.03)
    assert orders["valid_share"] == 1 and orders["size_mean"] == 2
    assert rows["inclusion-minimal"]["jaccard"] == 0


def test_noise_table_by_hand():
    keys = {"width": 2, "gate": "and", "ablation": "zero"}
    overlap = pd.DataFrame(
        [{**keys, "circuits": c, "jaccard": j, "chance": 0.25} for c, j in (
            ("found over edge orders", 0.5), ("found over edge orders", 0.7),
            ("found over batches", 0.9), ("found over batches", 0.9),
            ("equally valid", 0.8), ("equally valid", 0.6),
        )]
    )  # fmt: skip
    kept = np.array([[1, 0, 1, 0], [0, 1, 0, 1]], bool)
    found = pd.DataFrame([{**keys, "circuit": "".join(map(str, k.astype(int)))} for k in kept])
    frame = noise_table(overlap, found, (1, 2, 1), rng=rng())
    value = frame.set_index("source")["value"]
    assert value["edge orders"] == pytest.approx(0.4)
    assert value["exact uniform samples"] == pytest.approx(0.3)
    assert value["training seeds"] == 1.0 and value["training seeds, units matched"] == 0.0
    assert value["all"] == pytest.approx((0.4 + 0.1 + 0.0) / 3)
    row = frame.set_index("source").loc["edge orders"]
    # t(1, .975) = 12.706, sd .1414, n 2.
    assert row["high"] - row["value"] == pytest.approx(12.706 * 0.1414 / np.sqrt(2), rel=1e-3)
    assert row["chance"] == 0.75 and row["quantity"] == "method noise"
    with pytest.raises(ValueError, match="no net has overlaps"):
        noise_table(overlap[:0], found, (1, 2, 1), rng=rng())


def test_overlap_of_equally_valid_is_that_of_the_listed_set():
    question = pose(golden_net("k3_s0"), "xor")
    rows = {r["circuits"]: r for r in overlap_rows(question, valid=120, samples=800, rng=rng())}
    listed = list_valid(question)
    exact = (pairwise_jaccard(listed).mean * 119 + 1) / 120
    row = rows["equally valid"]
    assert abs(row["jaccard"] - exact) < 5 * row["se"]
    assert set(rows) == {*(f"found over {s}" for s in SOURCES), "equally valid",
                         "inclusion-minimal"}  # fmt: skip
