"""Tables of an audit that look ahead or beside the headline numbers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.agreement.axis import runs_axis
from circuitvar.audit.edges.certificates import certified_circuit
from circuitvar.audit.edges.edge_table import edge_table
from circuitvar.audit.settings import Settings
from circuitvar.audit.single.audit import audit_circuit
from circuitvar.audit.single.axis_agreement import agreement_table
from circuitvar.audit.single.sample_tables import certificate_table, chance_bounds, decision_study
from circuitvar.audit.single.tables import edge_ledger, sampling_table
from circuitvar.audit.variance.ledger import Part
from circuitvar.circuits.find.select import top_n
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.loading.load import load_model
from circuitvar.circuits.types import EdgeScores
from circuitvar.tasks.catalog import get_task

GRAPH = Graph(n_layers=2, n_heads=2)
BASE = Settings(bootstrap=20, pairs=4, fresh=0, random=10, exact=0, other_methods=())


def _nested(templates=12, each=10, edges=400):
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(templates), each)
    values = rng.normal(size=(len(label), edges)) + rng.normal(size=(templates, edges))[label] / 2
    return values, tuple(f"t{i:02}" for i in label)


def test_decision_study_says_what_buys_precision():
    """Components 1/4 and 1: the closed form of the standard error, within sampling error."""
    frame = decision_study(*_nested(), np.ones(400, dtype=bool))
    for row in frame.itertuples():
        truth = (0.25 / row.templates + 1 / row.prompts) ** 0.5
        assert row.se == pytest.approx(truth, rel=0.1)
    assert frame["sentence"][0].startswith("with 12 templates x 10 prompts the SE would be 0.1")
    same = frame[frame["prompts"] == 240].set_index("templates")["se"]
    assert same[24] < same[12], "new templates buy more than new prompts"


@pytest.mark.parametrize("labels", [("a",) * 6, tuple("abcdef")])
def test_no_decision_study_without_two_components(labels):
    assert decision_study(np.ones((6, 4)), labels, np.ones(4, dtype=bool)).empty


def test_certificates_at_half_deletion_are_vacuous():
    values = np.random.default_rng(0).normal(size=(100, 40)) + 4.0 * (np.arange(40) < 5)
    frame = certificate_table(values, BASE, 5).set_index("p_delete")
    assert frame.loc[0.5, "largest_radius"] == 0
    assert frame.loc[0.9, "largest_radius"] >= 2
    assert frame["inside"].tolist() == [5, 5]
    assert certificate_table(values[:3], BASE, 5).empty


def test_signed_certificates_choose_as_the_audit_does():
    """Five strong negative edges: the largest |score|, and the smallest scores."""
    values = np.random.default_rng(0).normal(size=(100, 40))
    values[:, :5] -= 4.0
    values[:, 5:10] += 3.0
    for signed, chosen in ((False, slice(0, 5)), (True, slice(5, 10))):
        settings = replace(BASE, signed=signed)
        assert certificate_table(values, settings, 5)["inside"].tolist() == [5, 5]
        found = certified_circuit(
            values, size=5, signed=signed, p_delete=0.5, rng=np.random.default_rng(0)
        )
        assert found.inside[chosen].all()


def test_a_cv_needs_two_standard_errors_of_the_sampling_unit():
    """Templates that differ and prompts that do not: clear over prompts, not over templates."""
    graph, rng = GRAPH, np.random.default_rng(0)
    label = np.repeat(np.arange(10), 10)
    values = rng.normal(size=(100, graph.n_edges)) * 0.1 + 0.4
    values += rng.normal(size=(10, graph.n_edges))[label]
    templates, nothing = tuple(f"t{i}" for i in label), np.zeros(100)
    scores = EdgeScores(
        graph, values.astype(np.float32), nothing, nothing, "exact", "logit_diff", templates
    )
    axis = runs_axis(
        np.eye(graph.n_edges, dtype=bool)[:3], key="seed", title="Seeds", unit="training seed"
    )
    frame = edge_table(scores, top_n(graph, scores.mean, 9), (axis,), exact=scores)
    np.testing.assert_allclose(frame["exact_se"], frame["se"])
    shy = frame["exact"].abs() < 2 * frame["se"]
    assert shy.sum() > 5
    assert (frame["exact_cv"].isna() == shy).all()


def test_negative_variances_are_flagged():
    values, templates = _nested(each=2, edges=60)
    values -= np.stack([values[np.array(templates) == t].mean(axis=0) for t in templates])
    groups = {"all edges": np.ones(60, dtype=bool)}
    frame = sampling_table(values, templates, groups)
    assert frame["between"][0] < 0
    assert frame["negative"].tolist() == [True]
    clear = sampling_table(*_nested(), {"all edges": np.ones(400, dtype=bool)})
    assert clear["negative"].tolist() == [False]
    parts = [Part("L0", "prompts", np.ones(3)), Part("L2", "templates", np.array([1.0, -0.5, 0]))]
    assert edge_ledger(["a", "b", "c"], parts)["negative"].tolist() == [False, True, False]


def test_chance_bounds_need_halves_and_a_cut():
    assert chance_bounds((), 5, pairs=10).empty


def test_agreement_of_equal_and_of_unrelated_runs():
    rng = np.random.default_rng(0)
    same = np.tile(rng.normal(size=GRAPH.n_edges), (4, 1))
    other = rng.normal(size=(6, GRAPH.n_edges))
    runs = pd.DataFrame({"axis": ["a"] * 4, "circuit_error": [0.1, 0.1, 0.12, 0.9]})
    frame = agreement_table(GRAPH, {"a": same, "b": other}, BASE, 12, runs=runs).set_index("axis")
    for name in (
        "spearman", "weighted_tau", "rbo", "overlap_coefficient", "size_matched_jaccard",
        "jaccard_to_medoid", "jaccard_same_error",
    ):  # fmt: skip
        assert frame.loc["a", name] == pytest.approx(1)
    assert frame.loc["a", "same_error"] == 3
    assert frame.loc["b", "spearman"] < 0.3
    assert np.isnan(frame.loc["b", "jaccard_same_error"])


@pytest.fixture(scope="module")
def audit():
    return audit_circuit(
        get_task("planted-gated"), load_model("planted:gated"),
        Settings(n=64, heldout=32, bootstrap=20, pairs=4, exact=16, fresh=4, random=10, size=4),
    )  # fmt: skip


def test_an_audit_has_every_table(audit):
    assert {
        "agreement", "certificates", "chance_edges", "choices", "cross_faithfulness",
        "decision_study", "forecast", "function", "influence", "ledger", "ledger_edges", "nulls",
        "phi_by_k", "prompt_clusters", "runs", "sampling", "selection", "similarity",
        "specifications",
    } <= set(audit.tables)  # fmt: skip
    assert {"forecast", "disjoint blocks"} == set(audit.tables["forecast"]["kind"])
    assert {"p_max_t", "inner", "outer", "inclusion_halves-template"} <= set(audit.edges)
    agreement = audit.tables["agreement"].set_index("axis")
    assert agreement.loc["fresh-data", ["jaccard_same_error", "phi_same_error"]].tolist() == [1, 1]
    assert agreement.loc["paraphrase", "size_matched_jaccard"] < 1


def test_ledgers_add_up_edge_by_edge_and_group_by_group(audit):
    ledger, edges = audit.tables["ledger"], audit.tables["ledger_edges"]
    varies = ledger[ledger["total"] > 0]
    assert varies.groupby("group")["share"].sum().to_numpy() == pytest.approx(1)
    assert {"all edges", "circuit", "core"} <= {*ledger["group"]}
    assert (ledger["negative"] == (ledger["variance"] < 0)).all()
    lines = [name for name in edges.columns if name[:2] in ("L0", "L1", "L2", "L4", "L5")]
    assert edges[lines].sum(axis=1).to_numpy() == pytest.approx(edges["total"].to_numpy())
    whole = ledger[ledger["group"] == "all edges"].set_index(["layer", "source"])["variance"]
    for (layer, source), variance in whole.items():
        assert edges[f"{layer} {source}"].sum() == pytest.approx(variance)


def test_exact_effects_have_their_own_spread(audit):
    """L0: no CV where the mean is within two standard errors of 0."""
    edges = audit.edges
    known = edges["exact_sd"] > 0
    ratio = edges["exact"].abs() / edges["exact_sd"]
    assert edges.loc[known, "exact_snr"].to_numpy() == pytest.approx(ratio[known].to_numpy())
    assert edges["exact_sign_consistency"].between(0, 1).all()
    shy = edges["exact"].abs() < 2 * edges["exact_se"]
    assert edges.loc[shy, "exact_cv"].isna().all()


def test_sampling_is_split_within_and_between_templates(audit):
    """In the gated model every difference between prompts is one between templates."""
    row = audit.tables["sampling"].set_index("group").loc["circuit"]
    assert row["icc"] == pytest.approx(1, abs=1e-6)
    assert row["design_effect"] == pytest.approx(64 / 8, rel=0.2)


ODD = (
    ("one template", {"templates": ("gated-copy-1",)}, {}),
    ("every edge", {}, {"size": 52}),
    ("one edge", {}, {"size": 1}),
    ("constant scores", {}, {"method": "weight-norm", "size": 4}),
    ("few prompts", {}, {"n": 8, "heldout": 4, "size": 4}),
)


@pytest.mark.parametrize(("name", "sampling", "options"), ODD, ids=[name for name, _, _ in ODD])
def test_degenerate_audits_finish_and_never_claim_too_much(name, sampling, options):
    """Whole audits of degenerate cases: no warning, no NaN verdict, no false stability."""
    from dataclasses import replace
    from functools import partial

    task = get_task("planted-gated")
    if sampling:
        task = replace(task, sample=partial(_only, task.sample, sampling["templates"]))
    settings = Settings(
        **{"n": 24, "heldout": 16, "bootstrap": 20, "pairs": 4, "exact": 0, "fresh": 2,
           "random": 10, **options}
    )  # fmt: skip
    found = audit_circuit(task, load_model("planted:gated"), settings, allow_weak=True)
    stability = [v for v in found.verdicts if v.claim.startswith("The edge set is stable")]
    if name == "every edge":  # By one rule on all axes: 48 edges score exactly 0.
        assert {axis.sizes.max() for axis in found.axes} == {2, 4}
    assert all(v.outcome in ("pass", "fail", "undecided", "no compression") for v in stability)
    assert all(0 <= axis.inclusion.min() <= axis.inclusion.max() <= 1 for axis in found.axes)


def test_a_circuit_of_the_whole_graph_is_no_compression(pocket):
    settings = Settings(
        n=16, heldout=8, bootstrap=10, pairs=2, exact=0, fresh=2, random=10, size=479, steps=1
    )
    found = audit_circuit(get_task("ioi"), pocket, settings, allow_weak=True)
    stability = [v for v in found.verdicts if v.claim.startswith("The edge set is stable")]
    assert {v.outcome for v in stability} == {"no compression"}
    reading = {v.claim: v for v in found.verdicts}[
        "Circuits of different prompts share structure and function"
    ]
    assert reading.outcome == "no compression"


def _only(sample, chosen, n, *, rng, templates=None, corruption=None, pool="all"):
    return sample(n, rng=rng, templates=chosen, corruption=corruption, pool=pool)


def test_scores_that_are_not_numbers_stop_with_a_name():
    from circuitvar.audit.agreement.halves import halves_agreement

    values = np.random.default_rng(0).normal(size=(20, 30))
    values[3, 7] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        halves_agreement(values, size=5, rng=np.random.default_rng(0))
