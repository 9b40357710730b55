"""Finders in designs: found again for every perturbation, with their own seed as a facet."""

import numpy as np
import pytest

from circuitvar.audit.derived_runs import example_weights
from circuitvar.audit.design import Design, Facet
from circuitvar.audit.finder_runs import UNUSED, check_finders, find_run, perturbed_rows
from circuitvar.audit.settings import Settings
from circuitvar.circuits.model import load_model
from circuitvar.tasks.metrics import get_metric
from circuitvar.tasks.planted.catalog import get_planted
from circuitvar.tasks.sampling import sample_batch

METRIC = get_metric("logit_diff")


@pytest.fixture(scope="module")
def model():
    return load_model("planted:gated")


@pytest.fixture(scope="module")
def batch(model):
    task = get_planted("gated").task
    return sample_batch(task, 24, model.tokenizer, rng=np.random.default_rng(0))[0].batch


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
        "from circuitvar.circuits.model import load_model\n"
        "from circuitvar.circuits.published import planted_circuit\n"
        "def find(model, batch, *, metric, size, seed):\n"
        "    return planted_circuit('integer', load_model('planted:integer').graph)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    levels = {"finder": "other_graph:find"}
    with pytest.raises(ValueError, match="a graph with 23 edges; the model has 52"):
        find_run(model, batch, levels, metric=METRIC, size=4, seed=0, finder_seed=0)
