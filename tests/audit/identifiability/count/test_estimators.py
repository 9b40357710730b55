"""Every estimator against the exact count, in every space; what is not defined says so."""

import numpy as np
import pytest

from circuitvar.audit.identifiability.count.count_valid import count_valid
from circuitvar.audit.identifiability.count.estimate_valid import total_of_sizes, valid_by_size
from circuitvar.audit.identifiability.count.estimators import (
    NetOptions,
    check_options,
    count_by,
    resolve,
)
from circuitvar.audit.identifiability.count.splitting import split_spaces
from circuitvar.audit.identifiability.count.strict_valid import (
    estimate_strict,
    interchange_agreement,
    is_strict,
    list_strict,
)
from circuitvar.audit.identifiability.nets.question import is_valid, pose
from circuitvar.audit.identifiability.nets.space import all_topologies
from circuitvar.audit.identifiability.nets.types import SPACES, Criterion
from circuitvar.audit.identifiability.tables import net_tables
from tests.audit.identifiability.toy_identifiability import golden_net, random_net

LEVEL = 0.9999


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def exact(question) -> dict[str, float]:
    return {c.space: c.value for c in count_valid(question).counts()}


@pytest.mark.parametrize("ablation", ["zero", "mean", "interchange"])
def test_splitting_covers_every_space_at_width_3(ablation):
    question = pose(golden_net("k3_s0"), "xor", ablation=ablation)
    counts = split_spaces(question, n=400, repeats=8, moves=15, level=LEVEL, rng=rng(1))
    assert [c.space for c in counts] == list(SPACES)
    for count in counts:
        assert count.known == "estimate" and "multilevel splitting" in count.how
        assert count.low <= exact(question)[count.space] <= count.high
    whole = counts[0]
    assert 0.6 < whole.value / exact(question)["whole"] < 1.6


def test_splitting_that_never_arrives_excludes_nothing():
    # No circuit of this untrained net computes XOR.
    question = pose(random_net((2, 3, 3, 1), 0), "xor")
    assert exact(question)["whole"] == 0
    whole = split_spaces(question, n=100, repeats=2, moves=3, rng=rng(2))[0]
    assert (whole.value, whole.low, whole.high) == (0, 0, 9_625)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_strata_join_to_an_interval_and_a_lower_bound(space, ablation):
    question = pose(golden_net("k3_s0"), "xor", ablation=ablation)
    truth = exact(question)[space]
    sizes = valid_by_size(question, exact_up_to=10, n=4_000, level=LEVEL, space=space, rng=rng(3))
    found, bound = total_of_sizes(sizes, space=space, level=LEVEL)
    assert (found.known, bound.known) == ("estimate", "lower bound")
    assert bound.value <= found.low <= truth <= found.high
    assert bound.value <= truth and bound.name == "valid circuits, at least"
    everything = valid_by_size(question, exact_up_to=18, space=space, rng=rng(3))
    assert [c.value for c in total_of_sizes(everything, space=space)] == [truth]


def test_intervals_of_strata_hold_as_often_as_they_say():
    question = pose(golden_net("k3_s0"), "xor", ablation="mean")
    truth = exact(question)["whole"]
    held = 0
    for seed in range(60):
        sizes = valid_by_size(question, exact_up_to=9, n=600, rng=rng(seed))
        found = total_of_sizes(sizes, space="whole")[0]
        held += found.low <= truth <= found.high
    assert held >= 52


@pytest.mark.parametrize(
    ("estimator", "draws", "runs", "least"),
    [
        ("exact", 1, 1, 1),
        ("strata", 10, 1, 1),
        # At 95 %: 38 and 19 expected.
        ("monte-carlo", 2_000, 40, 34),
        ("splitting", 400, 20, 16),
    ],
)
def test_every_estimator_covers_every_space(estimator, draws, runs, least):
    question = pose(golden_net("k3_s0"), "xor")
    truth = exact(question)
    held = dict.fromkeys(SPACES, 0)
    for seed in range(runs):
        counts = count_by(question, estimator, draws=draws, rng=rng(seed))
        assert [c.space for c in counts] == list(SPACES)
        for c in counts:
            value = truth[c.space]
            held[c.space] += c.value == value if c.known == "exact" else c.low <= value <= c.high
    assert min(held.values()) >= least
    one = count_by(question, estimator, draws=draws, spaces=("paper",), rng=rng())
    assert [c.space for c in one] == ["paper"]


def test_auto_is_exact_where_that_is_feasible():
    assert resolve("auto", (2, 5, 5, 1)) == "exact"
    assert resolve("auto", (2, 6, 6, 1)) == "monte-carlo"
    assert resolve("strata", (2, 3, 3, 1)) == "strata"


def test_wide_nets_take_splitting_and_strata():
    net = random_net((2, 6, 6, 1), 2)
    for estimator, kinds in (
        ("splitting", {"estimate"}), ("strata", {"estimate", "lower bound"}),
    ):  # fmt: skip
        options = NetOptions(
            ablations=("zero",), deltas=(0.5,), mappings=False, draws=400, estimator=estimator
        )
        frames = net_tables(net, [0, 1, 1, 1], options=options, rng=rng(5))
        assert set(frames["counts"]["known"]) == kinds
        assert set(frames["tolerance"]["known"]) == {"estimate"}
        assert (frames["counts"]["how"] != "").all()


@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_strict_circuits_equal_brute_force(ablation):
    question = pose(golden_net("k3_s0"), "xor", ablation=ablation)
    every = all_topologies(question.net.widths)
    every = every[is_valid(question, every)]
    slow = every[interchange_agreement(question, every) == 1]
    listed = list_strict(question)
    assert listed is not None and len(listed) == len(slow) > 0
    assert {bytes(row) for row in listed} == {bytes(row) for row in slow}
    assert is_strict(question, listed).all()
    assert list_strict(question, limit=3) is None
    for count in estimate_strict(question, n=20_000, rng=rng(6)):
        assert count.known == "estimate" and count.high > 0


@pytest.mark.parametrize(
    ("criterion", "ablation"),
    [
        (Criterion("delta", 0.05), "zero"),
        (Criterion("delta", 0.5), "interchange"),
        (Criterion("threshold"), "mean"),
    ],
)
def test_tables_count_under_the_criterion(criterion, ablation):
    net = golden_net("k3_s1")
    options = NetOptions(
        ablations=(ablation,), criterion=criterion, deltas=(), samples=0, mappings=False,
        interpretations=False,
    )  # fmt: skip
    counts = net_tables(net, "xor", options=options, rng=rng())["counts"]
    valid = counts[counts["quantity"] == "valid circuits"].set_index("space")
    assert valid["value"].to_dict() == exact(
        pose(net, "xor", criterion=criterion, ablation=ablation)
    )
    assert set(valid["criterion"]) == {criterion.title}


@pytest.mark.parametrize(
    ("options", "widths", "message"),
    [
        (NetOptions(criterion=Criterion("delta", -1)), (2, 3, 3, 1), "delta must be 0 or more"),
        (NetOptions(criterion=Criterion("delta")), (2, 3, 3, 1), "delta must be 0 or more"),
        (NetOptions(ablations=()), (2, 3, 3, 1), "ablations must be some of zero, mean"),
        (NetOptions(draws=0), (2, 3, 3, 1), "need at least 1 draw; got 0"),
        (NetOptions(iia=True), (2, 3, 3, 1), "iia builds its own interchanges"),
        (
            NetOptions(iia=True, ablations=("zero",), estimator="strata"), (2, 3, 3, 1),
            "iia cannot be counted by strata",
        ),
        (NetOptions(estimator="exact"), (2, 7, 7, 1), "too many to count exactly; use the"),
        (NetOptions(estimator="guess"), (2, 3, 3, 1), "unknown estimator 'guess'"),  # type: ignore
    ],
)  # fmt: skip
def test_what_is_not_defined_is_one_sentence(options, widths, message):
    with pytest.raises(ValueError, match=message):
        check_options(options, widths)
