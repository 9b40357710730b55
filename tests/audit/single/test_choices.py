"""Other corruptions, noise amplitudes and ablations; what the circuits found with them do."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from circuitvar.audit.runs import Bench, RunKey
from circuitvar.audit.settings import PAPER, Settings, preset
from circuitvar.audit.single.audit import audit_circuit
from circuitvar.audit.single.discovered import Discovered, _evaluated
from circuitvar.audit.single.plan import audit_plan, compared_methods, other_corruptions
from circuitvar.audit.single.structure_checks import chance_edges, halves_kuncheva, null_table
from circuitvar.circuits.evaluate.evaluate import evaluate
from circuitvar.circuits.find.select import top_n
from circuitvar.circuits.methods.catalog import get_method
from circuitvar.tasks.catalog import get_task

IOI = get_task("ioi")
SETTINGS = Settings(
    n=36, heldout=24, bootstrap=12, pairs=4, exact=0, fresh=2, random=10, other_methods=("eap",),
    noise=(1e-4, 2.0), corruptions=("s2-io-swap", "random-token"), ablations=("mean", "patching"),
)  # fmt: skip


@pytest.fixture(scope="module")
def audited(pocket):
    return audit_circuit(IOI, pocket, SETTINGS, seed_models=(pocket,), allow_weak=True)


def test_runs_are_the_ones_asked_for_and_defined(pocket):
    found = audit_plan(Bench(IOI, pocket, SETTINGS, models={"pocket": pocket, "other": pocket}))
    assert [(run.axis, run.level, dict(run.key.levels)) for run in found] == [
        ("method", "eap", {"method": "eap"}),
        ("corruption", "s2-io-swap", {"corruption": "s2-io-swap"}),
        ("corruption", "random-token", {"corruption": "random-token"}),
        ("noise", "gaussian-noise 0.0001", {"noise": 1e-4}),
        ("noise", "gaussian-noise 2", {"noise": 2.0}),
        ("ablation", "eap, mean", {"method": "eap", "ablation": "mean"}),
        ("fresh-data", "data set 1", {"data": 1}),
        ("fresh-data", "data set 2", {"data": 2}),
        ("seed", "other", {"checkpoint": "other"}),
    ]
    alone = Settings(method="eap", other_methods=(), fresh=0)
    assert audit_plan(Bench(IOI, pocket, alone)) == ()
    every = other_corruptions(IOI, replace(SETTINGS, corruptions=("all",)))
    assert every == tuple(c.key for c in IOI.corruptions[1:])
    with pytest.raises(ValueError, match="task 'ioi' has no corruption 'xyz'; choose among abc"):
        other_corruptions(IOI, replace(SETTINGS, corruptions=("xyz",)))
    methods = compared_methods(SETTINGS, get_method("eap"))
    assert [how.key for how in methods] == ["eap"]


def test_presets_differ_as_their_names_say():
    assert preset("paper") is PAPER
    assert PAPER.bootstrap >= 100
    assert PAPER.fresh
    assert PAPER.noise
    assert PAPER.ablations
    assert preset("quick").n < PAPER.n
    assert preset("full").bootstrap > PAPER.bootstrap
    with pytest.raises(ValueError, match="unknown preset 'most'; choose one of quick, paper, full"):
        preset("most")
    with pytest.raises(ValueError, match="has an amplitude that is not positive"):
        Settings(noise=(1.0, 0.0))
    with pytest.raises(ValueError, match="unknown ablation 'none'"):
        Settings(ablations=("none",))  # pyright: ignore[reportArgumentType]


def test_each_kind_of_choice_is_an_axis(audited):
    axes = {axis.key: axis for axis in audited.axes}
    assert axes["corruption"].runs == 3
    assert axes["noise"].runs == 3
    assert axes["ablation"].runs == 2
    # Another recipe leaves the clean prompts as they are, so nothing else differs.
    assert "from the same templates" not in axes["corruption"].note


def test_noise_table_has_one_row_per_amplitude(audited):
    table = audited.tables["noise"].set_index("amplitude")
    assert table.index.tolist() == [1e-4, 2.0]
    assert abs(table.loc[1e-4, "gap"]) < 0.01 < table.loc[2.0, "gap"]
    assert table["jaccard"].between(0, 1).all()
    assert table["jaccard_pairwise"].nunique() == 1
    inside = table["circuit_error"].between(table["circuit_error_low"], table["circuit_error_high"])
    assert inside.all()


def test_every_discovered_circuit_was_run(pocket, audited):
    runs = audited.tables["runs"]
    assert runs["axis"].value_counts().to_dict() == {
        "paraphrase": len(set(audited.tables["heldout"]["template"])),
        "fresh-data": 2, "method": 2, "corruption": 3, "noise": 3, "ablation": 2, "seed": 2,
    }  # fmt: skip
    own = runs[(runs["axis"] == "method") & (runs["run"] == "eap-ig-inputs")].iloc[0]
    found = {estimate.name: estimate.value for estimate in audited.estimates}
    assert own["circuit_error"] == pytest.approx(found["circuit error"])
    assert own["kl"] == pytest.approx(found["KL to the full model"], rel=1e-3)
    seeds = runs[runs["axis"] == "seed"]
    np.testing.assert_allclose(seeds["faithfulness"], own["faithfulness"], rtol=1e-5)


def test_specifications_cross_choices_with_sizes(audited):
    table = audited.tables["specifications"]
    assert list(table)[:4] == ["value", "low", "high", "default"]
    assert len(table) == 3 * (1 + 1 + 5)
    assert table["default"].sum() == 1
    default = table[table["default"]].iloc[0]
    assert (default["method"], default["ablation"], default["corruption"], default["size"]) == (
        "eap-ig-inputs", "patching", "abc", audited.provenance["size_requested"],
    )  # fmt: skip
    found = {estimate.name: estimate for estimate in audited.estimates}["faithfulness"]
    assert default["value"] == pytest.approx(found.value, abs=1e-5)
    assert default["low"] == pytest.approx(found.low, abs=1e-5)


def test_edges_carry_simultaneous_tests_and_sets(audited):
    edges = audited.edges
    size = audited.provenance["size_requested"]
    assert edges["p_max_t"].dropna().between(0, 1).all()
    assert (edges["inner"] <= edges["outer"]).all()
    assert edges["inner"].sum() <= size <= edges["outer"].sum()


def test_nulls_clusters_and_bound_are_reported(audited):
    nulls = audited.tables["nulls"]
    np.testing.assert_allclose(nulls["margin"], nulls["observed"] - nulls["expected"])
    assert nulls["p"].between(1 / 40, 1).all()
    assert len(audited.tables["prompt_clusters"]) == audited.provenance["n_examples"]
    names = [estimate.name for estimate in audited.estimates]
    assert {"prompt clusters", "chance edges among the stable ones, at most"} <= set(names)


def test_signal_beats_the_null_and_noise_does_not():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 80))
    signal = noise + 3.0 * (np.arange(80) < 8)
    beaten = null_table(signal, SETTINGS, 8).set_index("null")["p"]
    assert beaten["centred bootstrap"] == beaten["shuffled edges"] == 1 / 40
    assert null_table(noise, SETTINGS, 8).set_index("null")["p"].min() > 0.05
    assert null_table(noise, SETTINGS, 80).empty
    assert halves_kuncheva(noise, size=8, rng=rng) == pytest.approx(0, abs=0.25)


def test_the_bound_needs_halves_of_prompts(audited):
    assert chance_edges((), 5, pairs=4) is None
    n_edges = len(audited.edges)
    assert chance_edges(audited.axes, n_edges, pairs=4) is None


def test_equal_circuits_are_run_once_and_give_one_answer(pocket, ioi_batch, ioi_scores):
    bench = Bench(IOI, pocket, SETTINGS)
    runs = SimpleNamespace(bench=bench, heldout=ioi_batch, audited=SimpleNamespace(key=RunKey(())))
    kept = top_n(pocket.graph, ioi_scores.mean, 40).kept
    items = [Discovered("a", "1", kept), Discovered("b", "2", ~kept), Discovered("c", "3", kept)]
    masks = [item.kept for item in items]
    first, second, third = _evaluated(runs, masks, SETTINGS)  # pyright: ignore
    circuit = top_n(pocket.graph, ioi_scores.mean, 40)
    want = evaluate(pocket, circuit, ioi_batch, metric="logit_diff")
    np.testing.assert_allclose(first.circuit, want.circuit, atol=1e-5)
    np.testing.assert_array_equal(first.circuit, third.circuit)
    assert not np.allclose(first.circuit, second.circuit)
