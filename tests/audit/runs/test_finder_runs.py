"""Finders in designs: found again for every perturbation, with their own seed as a facet."""

import sys

import numpy as np
import pandas as pd
import pytest

from circuitvar.audit.design.design_agreement import design_agreement
from circuitvar.audit.design.design_summary import design_components
from circuitvar.audit.design.run_design import run_on_model
from circuitvar.audit.runs.budget import budget
from circuitvar.audit.runs.derived import example_weights
from circuitvar.audit.runs.design import Design, Facet, run_keys
from circuitvar.audit.runs.facets import pass_key
from circuitvar.audit.runs.finder_runs import UNUSED, check_finders, find_run, perturbed_rows
from circuitvar.audit.settings import Settings
from circuitvar.circuits.loading.load import load_model
from circuitvar.reports.commands import cli
from circuitvar.tasks.planted.catalog import get_planted
from circuitvar.tasks.tokens.metrics import get_metric
from circuitvar.tasks.tokens.sampling import sample_batch

METRIC = get_metric("logit_diff")


@pytest.fixture(scope="module")
def model():
    return load_model("planted:gated")


@pytest.fixture(scope="module")
def batch(model):
    task = get_planted("gated").task
    return sample_batch(task, 24, model, rng=np.random.default_rng(0))[0].batch


def test_a_resample_is_the_one_that_scoring_methods_use(batch):
    for number in (0, 1, 2):
        rows = perturbed_rows(batch, {"prompts": number}, seed=3)
        arrays = {"scores": np.zeros((24, 1)), "templates": np.array(batch.templates)}
        weights = example_weights(arrays, {"prompts": number}, Settings(n=24, seed=3))
        np.testing.assert_allclose(np.bincount(rows, minlength=24) / 24, weights)
    assert (perturbed_rows(batch, {"prompts": 0}, seed=3) == np.arange(24)).all()


def test_one_template_is_kept(batch):
    name = batch.templates[0]
    rows = perturbed_rows(batch, {"template": name}, seed=0)
    assert {batch.templates[row] for row in rows} == {name}
    with pytest.raises(ValueError, match="none of the 24 prompts of this run has template 'x'"):
        perturbed_rows(batch, {"template": "x"}, seed=0)


def test_a_finder_finds_the_circuit_of_the_prompts_it_is_given(model, batch):
    task, kept = get_planted("gated").task, {}
    for template in (None, *task.templates):
        levels = {"finder": "acdc", "template": template}
        options = {"metric": METRIC, "size": 4, "seed": 0, "finder_seed": 0}
        found = find_run(model, batch, levels, **options)["kept"]
        kept[template] = {model.graph.edge_names[i] for i in np.flatnonzero(found)}
    assert kept[None] == task.known_edges
    # The gate sends every template through one of two heads.
    assert len({frozenset(edges) for edges in kept.values()}) == 3


def test_what_a_finder_would_ignore_is_refused():
    finder = Facet("finder", ("acdc", "edge-pruning"))
    check_finders(Design((finder, Facet("finder_seed", (0, 1)))))
    check_finders(Design((Facet("method", ("eap", "exact")),)))
    with pytest.raises(ValueError, match=r"unknown finder 'acdk'.*did you mean 'acdc'"):
        check_finders(Design((Facet("finder", ("acdk",)),)))
    with pytest.raises(ValueError, match="'finder_seed' is the seed of a finder; add a facet"):
        check_finders(Design((Facet("finder_seed", (0, 1)),)))
    for name in UNUSED:
        with pytest.raises(ValueError, match=f"'acdc' does not use '{name}'; leave that facet out"):
            check_finders(Design((finder, Facet(name, (1, 2)))))


def test_a_circuit_of_another_graph_is_refused(model, batch, tmp_path, monkeypatch):
    (tmp_path / "other_graph.py").write_text(
        "from circuitvar.circuits.loading.load import load_model\n"
        "from circuitvar.circuits.published.published import planted_circuit\n"
        "def find(model, batch, *, metric, size, seed):\n"
        "    return planted_circuit('integer', load_model('planted:integer').graph)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    levels = {"finder": "other_graph:find"}
    with pytest.raises(ValueError, match="a graph with 23 edges; the model has 52"):
        find_run(model, batch, levels, metric=METRIC, size=4, seed=0, finder_seed=0)


CHEAT = """
import numpy as np
from circuitvar.circuits.types import Circuit

CALLS = []

def find(model, batch, *, metric, size, seed):
    '''Keeps `size` random edges: of the seed, or of the seed and the prompts.'''
    CALLS.append(len(batch))
    rng = np.random.default_rng([seed, *batch.clean[:, -1].tolist()])
    kept = np.zeros(model.graph.n_edges, dtype=bool)
    kept[rng.permutation(len(kept))[:size]] = True
    return Circuit(model.graph, kept, rule='random', requested=size, selected=size)
"""


@pytest.fixture
def cheat(tmp_path, monkeypatch):
    (tmp_path / "cheat.py").write_text(CHEAT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "cheat", raising=False)
    return "cheat:find"


def test_a_design_runs_a_finder_once_per_perturbation_and_resumes(model, tmp_path, cheat):
    design = Design(
        (
            Facet("finder", (cheat,)),
            Facet("finder_seed", (0, 1), random=True),
            Facet("prompts", (0, 1, 2), random=True),
            Facet("size", (4, 8)),
        )
    )
    task, settings = get_planted("gated").task, Settings(n=12, heldout=4)
    options = {"task": task, "model": model, "settings": settings}
    derived, left_out = run_on_model(tmp_path / "runs", design, **options)
    assert left_out == ()
    assert derived.masks.sum(axis=1).tolist() == [4, 8] * 6
    calls = sys.modules["cheat"].CALLS
    assert calls == [12] * 12
    run_on_model(tmp_path / "runs", design, **options)
    assert len(calls) == 12
    parts = design_components(design, derived)
    assert set(parts["response"]) == {"membership"}
    assert parts["share"].sum() == pytest.approx(1)
    assert set(parts["component"]) >= {"finder_seed", "prompts", "size"}
    assert np.isfinite(design_agreement(design, derived)["jaccard"]).all()


def test_a_null_finder_is_the_scoring_method_and_shares_its_pass(model, tmp_path):
    design = Design((Facet("finder", (None, "acdc")), Facet("prompts", (0, 1), random=True)))
    task, settings = get_planted("gated").task, Settings(n=12, heldout=4, size=4, method="exact")
    keys = run_keys(design)
    assert len({pass_key(key) for key in keys}) == 3
    cost = budget(design, examples=12, n_edges=52, seconds_per_example=1.0)
    assert (cost.passes, cost.finder_runs, cost.bytes) == (1, 2, 12 * 52 * 4 + 2 * 52)
    assert cost.sentence.startswith("1 scoring pass and 2 finder runs, about 36 seconds")
    derived, _ = run_on_model(tmp_path, design, task=task, model=model, settings=settings)
    names = np.array(model.graph.edge_names)
    for mask in derived.masks:
        assert set(names[mask]) == task.known_edges


def test_the_command_runs_a_finders_own_seed_as_a_facet(tmp_path, monkeypatch, capsys):
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "facets:\n"
        "  - {name: finder, levels: [edge-pruning, mask-gradient]}\n"
        "  - {name: finder_seed, levels: [0, 1], random: true}\n"
    )
    arguments = ["design", "planted-gated", "--model", "planted:gated", "--plan", str(plan)]
    monkeypatch.setattr(
        sys, "argv", ["circuitvar", *arguments, "--n", "8", "--out", str(tmp_path / "out")]
    )
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert not stop.value.code
    assert "4 finder runs" in capsys.readouterr().out
    runs = pd.read_csv(tmp_path / "out" / "runs.csv")
    assert list(runs["finder"]) == ["edge-pruning"] * 2 + ["mask-gradient"] * 2
