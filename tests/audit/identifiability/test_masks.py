"""Mask search and rivals on callables with a known number of equal circuits."""

from importlib import import_module

import numpy as np
import pytest

from circuitvar.audit.identifiability.transformers import Cut, find_rivals, search_masks, top_n

CUT = {"size", "epsilon", "m", "n"}
SCORES = np.array([8.0, -7, 6, 5, 4, 3, 2, 1])


def either(kept):
    """Works when edge 0 is kept and edge 2 or edge 5 is."""
    return (kept[:, 0] & (kept[:, 2] | kept[:, 5])).astype(float)


def search(behaviour=either, **options):
    cut = Cut(**{"size": 4, "epsilon": 0.1, "m": 6} | {k: options.pop(k) for k in CUT & {*options}})
    return search_masks(behaviour, SCORES, cut, rng=np.random.default_rng(0), **options)


def test_all_masks_of_the_edges_nearest_the_cut():
    found = search()
    assert found.free.tolist() == [1, 2, 3, 4, 5, 6]
    assert len(found.masks) == 64 and found.masks[:, 0].all() and not found.masks[:, 7].any()
    assert (found.count.value, found.count.known) == (48, "exact")
    assert found.outcome == "fail"
    np.testing.assert_allclose(found.inclusion, [0.5, 2 / 3, 0.5, 0.5, 2 / 3, 0.5])
    np.testing.assert_allclose(found.share, 0.75)


def test_edges_that_every_fitting_mask_shares():
    found = search(lambda k: (k[:, 2] & ~k[:, 5]).astype(float), target=1.0)
    assert found.forced_on.tolist() == [2] and found.forced_off.tolist() == [5]


def test_masks_without_effect_are_one_circuit():
    def needed(kept):
        out = kept.copy()
        out[:, [1, 3, 4, 6, 7]] = False
        return out

    found = search(canonical=needed)
    assert (found.count.value, found.distinct) == (48, 3)


def test_a_unique_mask_passes_only_if_all_were_run():
    def only(kept):
        return (kept[:, :4].all(axis=1) & ~kept[:, 4:7].any(axis=1)).astype(float)

    assert search(only, target=1.0).outcome == "pass"
    sampled = search(only, target=1.0, m=6)
    assert sampled.distinct == 1
    assert search(lambda k: np.zeros(len(k)), target=1.0).outcome == "undecided"


def test_the_whole_model_is_no_compression():
    assert search(size=8).outcome == "no compression"


def test_above_fourteen_edges_masks_are_sampled():
    scores = np.arange(20.0, 0, -1)
    found = search_masks(
        lambda k: k[:, 3].astype(float),
        scores,
        Cut(size=10, epsilon=0.1, m=16, n=2_000),
        rng=np.random.default_rng(1),
    )
    assert found.count.known == "estimate" and found.count.n == 2_000
    assert found.count.low < 2**15 < found.count.high
    assert found.outcome == "fail"


def test_batches_do_not_matter(monkeypatch):
    whole = search().values
    monkeypatch.setattr(import_module(search_masks.__module__), "BATCH", 7)
    np.testing.assert_array_equal(search().values, whole)


def test_a_second_route_is_found_by_penalising_reuse():
    circuit = top_n(np.abs(SCORES), 3)
    frame = find_rivals(either, SCORES, circuit, epsilon=0.1, growth=(1, 2))
    assert not frame["rival"].iloc[0] and frame["jaccard"].iloc[0] == 1
    assert frame["rival"].any()
    best = frame[frame["rival"]].iloc[-1]
    assert best["jaccard"] < 1 and not best["no_compression"]
    assert either(best["kept"][None])[0] == 1


def test_the_whole_model_is_no_rival():
    frame = find_rivals(
        lambda k: k.all(axis=1).astype(float), SCORES, top_n(np.abs(SCORES), 4),
        epsilon=0.1, growth=(1, 2),
    )  # fmt: skip
    assert frame["no_compression"].all() and not frame["rival"].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "at least 1"),
        ({"m": 9}, "fit 8 edges"),
        ({"epsilon": -1.0}, "epsilon must be 0 or more"),
        ({"behaviour": lambda k: np.full(len(k), np.nan)}, "is NaN; check the metric"),
        ({"behaviour": lambda k: np.zeros((len(k), 2))}, "one value per mask"),
    ],
)
def test_errors_say_what_to_do(options, message):
    with pytest.raises(ValueError, match=message):
        search(**options)
    with pytest.raises(ValueError, match="score of edge 1 is NaN"):
        search_masks(
            either, np.array([1.0, np.nan]), Cut(1, epsilon=0, m=1), rng=np.random.default_rng(0)
        )


@pytest.mark.parametrize(
    ("circuit", "penalties", "message"),
    [(np.zeros(8, bool), (0.5,), "keeps no edge"), (np.ones(8, bool), (2.0,), "between 0 and 1")],
)
def test_rival_errors(circuit, penalties, message):
    with pytest.raises(ValueError, match=message):
        find_rivals(either, SCORES, circuit, epsilon=0.1, penalties=penalties)
