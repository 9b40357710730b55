"""Intervals of variance components of designs: known answers, coverage, and reasons for none."""

import numpy as np
import pytest
from scipy.stats import chi2

from circuitvar.audit.design.design_intervals import summed_interval
from circuitvar.audit.design.design_summary import design_components
from circuitvar.audit.intervals.effective_df import summed_df
from circuitvar.audit.runs.derived import Derived
from circuitvar.audit.runs.design import Design, Facet, run_keys
from circuitvar.audit.variance.component_intervals import mls_interval
from circuitvar.audit.variance.variance_components import two_way

METHOD = Facet("method", ("eap", "clean-corrupted", "hvp"))
STEPS = Facet("steps", (2, 5))


def data(levels):
    return Facet("data", tuple(range(levels)), random=True)


def components(design, scores=None, *, drop=(), **options):
    keys = [key for row, key in enumerate(run_keys(design)) if row not in drop]
    scores = np.random.default_rng(0).normal(size=(len(keys), 20)) if scores is None else scores
    derived = Derived(tuple(keys), scores, np.ones(scores.shape, dtype=bool))
    frame = design_components(design, derived, **options)
    return frame[frame["response"] == "score"].set_index("component")


def test_one_facet_is_chi_square_over_its_levels():
    """4 levels: too few to see tails, so 3 degrees of freedom for the sum over edges."""
    scores = np.random.default_rng(1).normal(size=(4, 30))
    row = components(Design((data(4),)), scores, level=0.9).loc["data"]
    assert row["variance"] == pytest.approx(scores.var(axis=0, ddof=1).sum())
    assert row["low"] == pytest.approx(3 * row["variance"] / chi2.isf(0.05, 3))
    assert row["high"] == pytest.approx(3 * row["variance"] / chi2.isf(0.95, 3))
    assert row["interval"] == "chi², 3.0 degrees of freedom; 4 levels: leans on normal effects"


def test_a_balanced_grid_has_the_interval_of_its_mean_squares():
    levels = 4
    scores = np.random.default_rng(2).normal(size=(3 * levels, 30))
    frame = components(Design((METHOD, data(levels))), scores)
    squares = two_way(scores.reshape(3, levels, 30), names=("method", "data")).mean_squares
    assert squares is not None
    of_data, left = squares[1].sum(), squares[2].sum()
    low, high = mls_interval(np.array([of_data]), np.array([left]), df=(3, 6), divisor=3)
    assert frame.loc["data", "variance"] == pytest.approx((of_data - left) / 3)
    assert frame.loc["data", ["low", "high"]].tolist() == pytest.approx([max(low[0], 0), high[0]])
    assert frame.loc["data", "interval"].startswith("modified large sample, 3.0 degrees")
    bounds = [6 * left / chi2.isf(p, 6) for p in (0.025, 0.975)]
    assert frame.loc["residual", ["low", "high"]].tolist() == pytest.approx(bounds)
    assert frame.loc["method", "interval"] == "none: fixed levels"


@pytest.mark.parametrize("edges", ["one", "shared", "independent"])
def test_the_sum_over_edges_is_covered(edges):
    """Whatever the correlation of edges: .95 where they move together, more where they do not."""
    rng, hits = np.random.default_rng(3), []
    for _ in range(300):
        x = rng.normal(size=(8, 20))
        x = {"one": x[:, :1], "shared": np.repeat(x[:, :1], 20, axis=1), "independent": x}[edges]
        low, high, df = summed_interval(x)
        hits.append(low <= x.shape[1] <= high)
        assert 1 <= df <= 7
    assert np.mean(hits) > 0.92
    assert edges != "independent" or np.mean(hits) > 0.99


def test_heavy_tails_widen():
    tails = np.array([1.0, 1, 1, 1, 1, 1, 1, 40])
    assert summed_df(tails, 7) < 3 < summed_df(np.arange(1.0, 9), 7)
    assert summed_df(np.zeros(8), 7) == 7


@pytest.mark.parametrize(
    ("design", "component", "options", "reason"),
    [
        (Design((data(2),)), "data", {}, "fewer than 3 levels"),
        (Design((METHOD, data(2))), "data", {}, "fewer than 3 levels"),
        (Design((METHOD, data(4), STEPS)), "residual", {}, "holds all interactions"),
        (Design((METHOD, data(4))), "data", {"drop": (5,)}, "cells are missing or run more than"),
        (
            Design((METHOD, data(4), STEPS)),
            "data",
            {"interactions": [("method", "data")]},
            "interactions were asked for",
        ),
        (
            Design((METHOD, data(4), STEPS)),
            "method x data",
            {"interactions": [("method", "data")]},
            "an interaction",
        ),
        (
            Design((Facet("prompts", tuple(range(12)), random=True),)),
            "prompts",
            {},
            "resamples share one data set",
        ),
    ],
)
def test_where_there_is_none_the_reason_stands(design, component, options, reason):
    row = components(design, **options).loc[component]
    assert row["interval"].startswith(f"none: {reason}")
    assert np.isnan(row["low"]) and np.isnan(row["high"])


def test_three_facets_bound_random_ones():
    """Data sets of variance 1 under noise of 1/100; bounds never fall below 0."""
    rng, design = np.random.default_rng(4), Design((METHOD, data(6), STEPS))
    of_data = rng.normal(size=(6, 20))
    scores = np.stack([of_data[dict(key.levels)["data"]] for key in run_keys(design)])
    scores += 0.1 * rng.normal(size=scores.shape)
    row = components(design, scores).loc["data"]
    assert 0 < row["low"] < row["variance"] < row["high"] and row["low"] < 20 < row["high"]
    assert components(design).loc["data", ["low", "high"]].min() >= 0


def test_nothing_varies():
    frame = components(Design((METHOD, data(4))), np.ones((12, 5)))
    assert set(frame["interval"]) == {"none: nothing varies"}
