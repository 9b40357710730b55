"""A finished design whose effects are known."""

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.design.design_agreement import design_agreement
from circuitvar.audit.design.design_phi import phi_of_design
from circuitvar.audit.design.design_summary import (
    design_components,
    full_grid,
    require_answers,
    sobol_table,
)
from circuitvar.audit.design.one_at_a_time import ALONE
from circuitvar.audit.indices.phi import phi_of_resamples
from circuitvar.audit.runs.derived import Derived
from circuitvar.audit.runs.design import Design, Facet, run_keys
from circuitvar.circuits.find.select import top_n_masks

METHODS = ("eap", "clean-corrupted", "eap-ig-inputs")
FACETS = (
    Facet("method", METHODS),
    Facet("data", tuple(range(8)), random=True),
    Facet("size", (10, 20)),
)


def _derived(design, *, method=1.0, data=0.5, noise=0.0, edges=400, seed=0) -> Derived:
    rng = np.random.default_rng(seed)
    per_method = method * rng.normal(size=(3, edges))
    per_data = data * rng.normal(size=(20, edges))
    keys = run_keys(design)
    scores = np.empty((len(keys), edges))
    for row, key in enumerate(keys):
        levels = dict(key.levels)
        own = np.random.default_rng([7, METHODS.index(levels["method"]), levels["data"]])
        scores[row] = per_method[METHODS.index(levels["method"])] + per_data[levels["data"]]
        scores[row] += noise * own.normal(size=edges)
    sizes = [dict(key.levels).get("size", 10) for key in keys]
    masks = np.concatenate([top_n_masks(s[None], k) for s, k in zip(scores, sizes, strict=True)])
    return Derived(keys, scores, masks)


def test_components_are_those_of_the_effects():
    """3 methods with variance 1 seen as all there are, data sets with variance 1/4."""
    frame = design_components(Design(FACETS), _derived(Design(FACETS), noise=0.2, edges=4000))
    score = frame[frame["response"] == "score"].set_index("component")["variance"] / 4000
    assert score["method"] == pytest.approx(2 / 3, rel=0.05)
    assert score["data"] == pytest.approx(0.25, rel=0.05)
    assert score["residual"] == pytest.approx(0.04, rel=0.05)
    assert "size" not in score.index


def test_one_at_a_time_variances_are_read_facet_by_facet():
    """Fixed levels over the listed ones, random levels unbiased, each with the rest at default."""
    design = Design(FACETS, "one-at-a-time")
    derived = _derived(design)
    frame = design_components(design, derived)
    score = frame[frame["response"] == "score"].set_index("component")
    scores = derived.scores
    method, data = scores[:3], scores[[0, 3, 4, 5, 6, 7, 8, 9]]
    assert score.loc["method", "variance"] == pytest.approx(method.var(axis=0).sum())
    assert score.loc["data", "variance"] == pytest.approx(data.var(axis=0, ddof=1).sum())
    assert set(score["how"]) == {ALONE} and "residual" not in score.index
    assert frame.groupby("response")["share"].sum().tolist() == pytest.approx([1, 1])


def test_a_group_of_a_one_at_a_time_design_has_its_interaction():
    design = Design(FACETS, "one-at-a-time", together=(("method", "data"),))
    frame = design_components(design, _derived(design, noise=0.2, edges=4000))
    score = frame[frame["response"] == "score"].set_index("component")["variance"] / 4000
    assert score["method"] == pytest.approx(2 / 3, rel=0.05)
    assert score["data"] == pytest.approx(0.25, rel=0.05)
    assert score["method x data"] == pytest.approx(0.04, rel=0.05)


def test_one_facet_that_moves_scores_needs_no_replicates():
    """Size cannot move scores: they are read over data sets, membership over both."""
    design = Design(FACETS[1:])
    frame = design_components(design, _derived_of_data(design))
    score = frame[frame["response"] == "score"]
    assert score["component"].tolist() == ["data"] and score["how"].tolist() == [ALONE]
    require_answers(design, run_keys(design))
    two = Design(FACETS, "sampled", draws=2)
    with pytest.raises(ValueError, match=r"confounded|single level"):
        require_answers(two, run_keys(two))


def _derived_of_data(design):
    keys = run_keys(design)
    per_data = np.random.default_rng(3).normal(size=(8, 50))
    scores = np.stack([per_data[dict(key.levels)["data"]] for key in keys])
    sizes = [dict(key.levels)["size"] for key in keys]
    masks = np.concatenate([top_n_masks(s[None], k) for s, k in zip(scores, sizes, strict=True)])
    return Derived(keys, scores, masks)


def test_selection_facets_move_membership_only():
    frame = design_components(Design(FACETS), _derived(Design(FACETS)))
    member = frame[frame["response"] == "membership"].set_index("component")
    assert {"method", "data", "size", "residual"} == set(member.index)
    assert member.loc["size", "variance"] > 0
    assert frame.groupby("response")["share"].sum().tolist() == pytest.approx([1, 1])
    assert set(member["kind"]) == {"fixed", "random", "residual"}


def test_interactions_are_estimated_when_asked_and_refused_when_not_identified():
    design = Design(FACETS)
    frame = design_components(design, _derived(design), interactions=[("data", "size")])
    assert "data x size" in set(frame["component"])
    two = Design(FACETS[:2])
    with pytest.raises(ValueError, match="cannot be told from noise"):
        design_components(two, _derived(two), interactions=[("method", "data")])


def test_sobol_shares_sum_to_one_and_find_no_interaction():
    table = sobol_table(_derived(Design(FACETS[:2])))
    score = table[table["response"] == "score"].set_index("effect")
    assert score["share"].sum() == pytest.approx(1)
    assert score.loc["method x data", "share"] == pytest.approx(0, abs=1e-12)
    assert score.loc["method", "total_share"] == pytest.approx(score.loc["method", "share"])


def test_a_grid_with_a_hole_has_no_sobol_shares():
    design = Design(FACETS[:2])
    whole = _derived(design)
    holed = Derived(whole.keys[1:], whole.scores[1:], whole.masks[1:])
    assert sobol_table(holed).empty
    assert full_grid(holed.keys, holed.scores, ("method", "data")) is None
    assert len(design_components(design, holed)) > 0


def test_metrics_of_other_units_are_put_on_one_scale():
    keys = run_keys(
        Design((Facet("metric", ("logit_diff", "prob_diff")), Facet("data", (0, 1, 2))))
    )
    rng = np.random.default_rng(0)
    base = rng.normal(size=50)
    unit = [1.0 if dict(key.levels)["metric"] == "logit_diff" else 1e-3 for key in keys]
    scores = np.stack([u * (base + 0.1 * rng.normal(size=50)) for u in unit])
    derived = Derived(keys, scores, top_n_masks(scores, 5))
    design = Design((Facet("metric", ("logit_diff", "prob_diff")), Facet("data", (0, 1, 2))))
    frame = design_components(design, derived)
    score = frame[frame["response"] == "score"].set_index("component")["share"]
    assert score["residual"] > 0.5, "nothing but noise is left once units agree"


def test_agreement_by_facet():
    """Runs that differ in their data alone agree more than runs that differ in all."""
    design = Design(FACETS[:2])
    frame = design_agreement(design, _derived(design, data=0.1)).set_index("facet")
    assert frame.loc["data", "jaccard"] > frame.loc["all facets", "jaccard"]
    assert frame.loc["data", "jaccard"] > frame.loc["method", "jaccard"]
    assert frame.loc["data", "pairs"] == 3 * 28
    every = frame.loc["all facets"]
    assert every["phi_low"] < every["phi"] < every["phi_high"]
    assert every["interval"] == "jackknife over levels of data"


@pytest.mark.parametrize(
    ("design", "label"),
    [
        (Design((Facet("method", METHODS), Facet("data", (0,)))), "none: no facet is a sample"),
        (
            Design((Facet("method", METHODS), Facet("data", (0, 1), random=True))),
            "none: fewer than 3 levels of a random facet",
        ),
        (
            Design((Facet("method", METHODS), Facet("data", (0, 1, 2, 3))), "sampled", draws=10),
            "row jackknife t",
        ),
    ],
)
def test_the_interval_fits_the_design(design, label):
    derived = _derived(design)
    found = phi_of_design(design, derived.keys, derived.masks)
    assert found.interval == label
    assert np.isfinite(found.low) == (not label.startswith("none"))


def test_the_jackknife_over_levels_covers():
    """phi over fresh pairs of data sets, all methods: near 95 % of intervals hold it."""
    design = Design((Facet("method", METHODS), Facet("data", tuple(range(8)), random=True)))
    rng = np.random.default_rng(1)
    methods, found = rng.normal(size=(3, 60)), []
    for _ in range(150):
        data = 0.5 * rng.normal(size=(8, 60))
        scores = (methods[:, None] + data[None]).reshape(24, 60)
        keys = run_keys(design)
        found.append(phi_of_design(design, keys, top_n_masks(scores, 10)))
    truth = float(np.mean([e.value for e in found]))
    share = np.mean([e.low <= truth <= e.high for e in found])
    assert 0.9 <= share <= 1.0


def test_resamples_of_one_data_set_get_the_infinitesimal_jackknife():
    """Beside data sets, whose levels are runs; the prompts as drawn are no resample."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 40, 60)) + 0.8 * rng.normal(size=60)
    design = Design(
        (Facet("prompts", tuple(range(31)), random=True), Facet("data", tuple(range(6)), True)),
        "one-at-a-time",
    )
    keys, weights, scores = run_keys(design), [], []
    for key in keys:
        levels = dict(key.levels)
        own = np.full(40, 1 / 40)
        if levels["prompts"]:
            own = np.bincount(rng.integers(40, size=40), minlength=40) / 40
        weights.append(own)
        scores.append(own @ values[levels["data"]])
    scores = np.stack(scores)
    derived = Derived(keys, scores, top_n_masks(scores, 8), tuple(weights))
    frame = design_agreement(design, derived).set_index("facet")
    assert frame.loc["prompts", "interval"] == "infinitesimal jackknife"
    assert frame.loc["data", "interval"] == "row jackknife t"
    assert frame.loc["prompts", "pairs"] == 30 * 29 / 2
    masks, counts = derived.masks[1:31], np.stack(weights[1:31]) * 40
    alone = phi_of_resamples(masks, counts)
    assert frame.loc["prompts", ["phi", "phi_low"]].tolist() == [alone.value, alone.low]


def _resampled(design: Design, rng, values) -> Derived:
    """Runs of resamples of the scores `values` [example, edge]; a method shifts every score."""
    keys, drawn, weights = run_keys(design), {}, []
    for key in keys:
        number = dict(key.levels)["prompts"]
        if number not in drawn:
            rows = rng.integers(40, size=40) if number else np.arange(40)
            drawn[number] = np.bincount(rows, minlength=40) / 40
        weights.append(drawn[number])
    shift = 0.2 * np.random.default_rng(6).normal(size=(3, 60))
    scores = np.stack(
        [
            w @ values + shift[METHODS.index(str(dict(key.levels).get("method", METHODS[0])))]
            for key, w in zip(keys, weights, strict=True)
        ]
    )
    return Derived(keys, scores, top_n_masks(scores, 8), tuple(weights))


RESAMPLES = Facet("prompts", tuple(range(21)), random=True)


@pytest.mark.parametrize(
    ("design", "label"),
    [
        (Design((RESAMPLES,)), "infinitesimal jackknife"),
        (Design((RESAMPLES, Facet("method", METHODS))), "infinitesimal jackknife over prompts"),
        (
            Design((RESAMPLES, Facet("method", METHODS)), "sampled", draws=50),
            "infinitesimal jackknife over prompts",
        ),
    ],
    ids=["alone", "crossed", "sampled"],
)
def test_resamples_of_one_data_set_are_no_levels(design, label):
    """A jackknife over resamples held the truth in .67 of data sets: phi hardly moves without one
    of them, and much with other prompts."""
    rng, found = np.random.default_rng(0), []
    effect = 0.4 * np.random.default_rng(5).standard_t(3, size=60)
    for _ in range(60):
        derived = _resampled(design, rng, rng.normal(size=(40, 60)) + effect)
        found.append(design_agreement(design, derived).iloc[0])
    assert {row["interval"].split(";")[0] for row in found} == {label}
    truth = np.mean([row["phi"] for row in found])
    assert np.mean([row["phi_low"] <= truth <= row["phi_high"] for row in found]) >= 0.92


def test_resamples_apart_from_the_rest_give_no_interval():
    rng = np.random.default_rng(0)
    facets = (RESAMPLES, Facet("method", METHODS))
    few = (Facet("prompts", (0, 1, 2, 3), random=True), facets[1])
    for design in (Design(facets, "one-at-a-time"), Design(few)):
        row = design_agreement(design, _resampled(design, rng, rng.normal(size=(40, 60)))).iloc[0]
        assert row["interval"].startswith("none: fewer than 3 levels of a random facet, or than 10")
        assert np.isnan(row["phi_low"])
    fresh = Design((*few, Facet("data", (0, 1, 2, 3), random=True)))
    found = phi_of_design(fresh, run_keys(fresh), rng.random((48, 60)) < 0.2)
    assert found.interval == "jackknife over levels of data"


def test_empty_circuits_are_counted_and_left_out():
    design = Design((Facet("method", METHODS), Facet("data", (0, 1, 2), random=True)))
    derived = _derived(design)
    masks = derived.masks.copy()
    masks[0] = False
    frame = design_agreement(design, Derived(derived.keys, derived.scores, masks)).set_index(
        "facet"
    )
    assert frame.loc["all facets", "empty"] == 1
    assert np.isfinite(frame["jaccard"]).all()


def _of_templates(crossing, *, more=(), replicates=1, levels=12, edges=3000, seed=0):
    """Templates of variance 1 beside the mean of them all, data sets of variance 1/4."""
    names = tuple(f"t{i}" for i in range(levels))
    template = Facet("template", (None, *names), random=True)
    design = Design((template, *more), crossing, replicates=replicates)
    rng = np.random.default_rng(seed)
    of = dict(zip(names, rng.normal(size=(levels, edges)), strict=True))
    of[None] = np.mean(list(of.values()), axis=0)
    data, keys = rng.normal(0, 0.5, size=(40, edges)), run_keys(design)
    scores = []
    for key in keys:
        at = dict(key.levels)
        scores.append(of[at["template"]] + data[at.get("data", 0)])
        scores[-1] = scores[-1] + (0.1 * rng.normal(size=edges) if replicates > 1 else 0)
    return design, Derived(keys, np.stack(scores), top_n_masks(np.stack(scores), 20))


@pytest.mark.parametrize(
    ("crossing", "replicates"), [("one-at-a-time", 1), ("one-at-a-time", 2), ("full", 1)]
)
@pytest.mark.parametrize("data", [1, 6])
def test_all_templates_together_are_no_template(crossing, replicates, data):
    """Components, membership and shares are those of the single templates."""
    more = (Facet("data", tuple(range(data)), random=True),) if data > 1 else ()
    design, derived = _of_templates(crossing, more=more, replicates=replicates)
    require_answers(design, derived.keys)
    frame = design_components(design, derived).set_index(["response", "component"])["variance"]
    assert frame["score", "template"] / 3000 == pytest.approx(1, rel=0.04)
    if data > 1:
        assert frame["score", "data"] / 3000 == pytest.approx(0.25, rel=0.06)
    single = [dict(key.levels)["template"] is not None for key in derived.keys]
    masks = derived.masks[single].astype(float)
    if data == 1 and replicates == 1:
        expected = masks.var(axis=0, ddof=1).sum()
        assert frame["membership", "template"] == pytest.approx(expected)
    if crossing == "full":
        without, own = sobol_table(derived), sobol_table(derived, design)
        assert own["variance"].sum() > without["variance"].sum()


def test_resample_0_is_no_resample():
    levels = tuple(range(11))
    design = Design((Facet("prompts", levels, random=True),))
    rng = np.random.default_rng(1)
    scores = np.concatenate([np.zeros((1, 2000)), rng.normal(size=(10, 2000))])
    derived = Derived(run_keys(design), scores, top_n_masks(scores, 20))
    frame = design_components(design, derived).set_index(["response", "component"])["variance"]
    assert frame["score", "prompts"] == pytest.approx(scores[1:].var(axis=0, ddof=1).sum())
    fixed = Design((Facet("prompts", levels),))
    frame = design_components(fixed, derived).set_index(["response", "component"])["variance"]
    assert frame["score", "prompts"] == pytest.approx(scores.var(axis=0).sum())


@pytest.mark.parametrize("crossing", ["full", "one-at-a-time"])
def test_rounding_is_no_component(crossing):
    """Runs that differ in the last bits alone: variances 0, shares unknown, nothing negative."""
    design = Design((Facet("data", (0, 1, 2), random=True), Facet("steps", (2, 5))), crossing)
    rng = np.random.default_rng(0)
    keys = run_keys(design)
    scores = np.repeat(rng.normal(size=(1, 50)), len(keys), axis=0)
    masks = top_n_masks(scores, 10)
    scores = scores * (1 + 1e-15 * rng.normal(size=scores.shape))
    derived = Derived(keys, scores, masks)
    frame = design_components(design, derived)
    assert (frame["variance"] == 0).all() and not frame["negative"].any()
    assert frame[["share", "median_share"]].isna().all(axis=None)
    sobol = sobol_table(derived, design)
    assert (sobol["variance"] == 0).all() and sobol["share"].isna().all()
    real = scores + 1e-4 * rng.normal(size=scores.shape)
    frame = design_components(design, Derived(keys, real, masks))
    assert frame.groupby("response")["share"].sum()["score"] == pytest.approx(1)


def test_nothing_varied():
    design = Design((Facet("method", ("eap",)), Facet("data", (0,))))
    with pytest.raises(ValueError, match="no facet has two levels"):
        design_components(design, _derived(design))


def test_tables_are_tidy(tmp_path):
    frame = design_components(Design(FACETS), _derived(Design(FACETS)))
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist()[:3] == ["response", "component", "kind"]
