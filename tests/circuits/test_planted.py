"""Known ground truth: what patching, attribution and evaluation find in planted models."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from circuitvar.audit.indices.phi import phi
from circuitvar.audit.variance.variance_components import within_between
from circuitvar.circuits.evaluate.evaluate import evaluate
from circuitvar.circuits.find.select import top_n, top_n_masks
from circuitvar.circuits.loading.load import load_model, load_planted
from circuitvar.circuits.methods.gradient.eap import (
    clean_corrupted,
    eap,
    eap_ig_activations,
    eap_ig_inputs,
)
from circuitvar.circuits.methods.patching.exact import exact
from circuitvar.circuits.model.model import Model
from circuitvar.circuits.types import Circuit, ScoreOptions
from circuitvar.tasks.planted import induction, noise, two_route
from circuitvar.tasks.planted.catalog import PLANTED, get_planted
from circuitvar.tasks.planted.gated import GATES, true_effects
from circuitvar.tasks.tokens.metrics import get_metric
from circuitvar.tasks.tokens.tokens import tokenize
from circuitvar.tasks.types import Batch, PromptPair
from tests.circuits.toy_scoring import matrix_of
from tests.oracles import reference
from tests.tasks.planted.toy_planted import patched_logit_diff

LOGIT_DIFF = get_metric("logit_diff")
OPTIONS = ScoreOptions()
CASES = [
    pytest.param(planted.key, corruption.key, id=f"{planted.key}-{corruption.key}")
    for planted in PLANTED
    for corruption in planted.task.corruptions
]
LINEAR = [planted.key for planted in PLANTED if planted.linear]


@cache
def model_of(key: str) -> Model:
    return load_planted(key)


def draw(key: str, n: int, *, seed: int = 0, side="right", **options):
    """Pairs, their batch, and the true effects [example, edge]."""
    planted, model = get_planted(key), model_of(key)
    pairs = planted.task.sample(n, rng=np.random.default_rng(seed), **options)
    batch = tokenize(pairs, model.tokenizer, padding_side=side).batch
    assert len(batch) == n
    return pairs, batch, true_matrix(key, pairs)


def true_matrix(key: str, pairs: tuple[PromptPair, ...]) -> np.ndarray:
    names = model_of(key).graph.edge_names
    effects = [get_planted(key).effects(pair) for pair in pairs]
    return np.array([[found.get(name, 0.0) for name in names] for found in effects])


def scores_of(method, key: str, batch: Batch, options: ScoreOptions = OPTIONS) -> np.ndarray:
    found = matrix_of(method(model_of(key), batch, metric=LOGIT_DIFF, options=options))
    return torch.as_tensor(found).numpy()


def circuit_of(key: str, edges) -> Circuit:
    graph = model_of(key).graph
    kept = np.zeros(graph.n_edges, dtype=bool)
    kept[graph.columns(edges)] = True
    return Circuit(graph, kept, rule="planted", requested=len(edges), selected=len(edges))


# --- loading ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "edges", "has_mlp"),
    [
        ("induction", 52, False),
        ("two-route", 110, True),
        ("gated", 52, False),
        ("noise", 257, False),
        ("integer", 23, True),
    ],
)
def test_planted_models_load_with_their_graph(key, edges, has_mlp):
    model = load_model(f"planted:{key}")
    assert (model.graph.n_edges, model.graph.has_mlp) == (edges, has_mlp)
    assert model.name == f"planted:{key}"
    assert model.digest == model_of(key).digest


def test_the_example_and_the_table_of_the_readme_are_true():
    text = (Path(induction.__file__).parent / "README.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    exec(text.split("```python\n")[1].split("```")[0], names)
    scores = np.abs(torch.as_tensor(names["scores"]).numpy()).max(axis=0)
    found = {model_of("gated").graph.edge_names[i] for i in np.flatnonzero(scores > 1e-6)}
    assert found == get_planted("gated").task.known_edges
    for planted in PLANTED:
        (row,) = (line for line in text.splitlines() if f"`planted:{planted.key}`" in line)
        edges, known, linear = (cell.strip() for cell in row.split("|")[-4:-1])
        graph = model_of(planted.key).graph
        assert (int(edges), int(known)) == (graph.n_edges, len(planted.task.known_edges))
        assert linear == ("yes" if planted.linear else "no")


def test_double_precision_loads():
    assert load_planted("integer", dtype="float64").dtype == "float64"


def test_unknown_planted_names_are_refused():
    with pytest.raises(ValueError, match="unknown planted model 'three-route'"):
        load_model("planted:three-route")
    with pytest.raises(ValueError, match="unknown dtype 'int8'; choose one of float32"):
        load_planted("integer", dtype="int8")


# --- exact patching -----------------------------------------------------------------------


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("key", "corruption"), CASES)
@pytest.mark.parametrize("method", [reference.exact, exact], ids=["reference", "fast"])
def test_exact_patching_finds_the_true_effects(key, corruption, side, method):
    n = 1 if key == "noise" else 3
    _, batch, true = draw(key, n, side=side, corruption=corruption)
    found = scores_of(method, key, batch)
    np.testing.assert_allclose(found, true, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(found[true == 0], 0, atol=1e-6)


@pytest.mark.parametrize("key", ["induction", "gated"])
def test_top_n_of_exact_scores_is_the_known_circuit(key):
    planted, graph = get_planted(key), model_of(key).graph
    _, batch, _ = draw(key, 16)
    scores = scores_of(exact, key, batch).mean(axis=0)
    circuit = top_n(graph, scores, len(planted.task.known_edges))
    assert frozenset(circuit.edge_names) == planted.task.known_edges


@pytest.mark.parametrize("corruption", ["signal", "marker"])
@pytest.mark.parametrize("gate", GATES)
def test_circuit_of_the_gated_model_depends_on_the_template(gate, corruption):
    model = model_of("gated")
    templates = tuple(t for t in get_planted("gated").task.templates if gate in t)
    _, batch, _ = draw("gated", 8, templates=templates, corruption=corruption)
    scores = scores_of(exact, "gated", batch).mean(axis=0)
    known = true_effects(gate, corruption)
    circuit = top_n(model.graph, scores, len(known))
    assert set(circuit.edge_names) == set(known)


# --- gradient methods ---------------------------------------------------------------------


@pytest.mark.parametrize("key", LINEAR)
@pytest.mark.parametrize("method", [exact, eap, reference.eap, eap_ig_inputs, clean_corrupted])
def test_gradient_methods_are_exact_on_linear_models(key, method):
    _, batch, true = draw(key, 6)
    np.testing.assert_allclose(scores_of(method, key, batch), true, rtol=1e-5, atol=1e-5)


def test_ig_activations_shrinks_edges_whose_path_it_replaces_even_on_linear_models():
    """The published method replaces one of three groups at a time (embeddings, heads of layer 0,
    heads of layer 1); the gradient does not flow through the replaced group."""
    _, batch, true = draw("noise", 6)
    share = [1.0 if edge.dst.kind == "logits" else 2 / 3 for edge in model_of("noise").graph.edges]
    found = scores_of(eap_ig_activations, "noise", batch)
    np.testing.assert_allclose(found, true * share, rtol=1e-5, atol=1e-5)


def test_eap_misses_the_saturated_edges_of_the_induction_circuit():
    _, batch, _ = draw("induction", 4)
    columns = model_of("induction").graph.columns(["a0.h0->a1.h0<k>", "input->a1.h0<q>"])
    np.testing.assert_allclose(scores_of(eap, "induction", batch)[:, columns], 0, atol=1e-6)


def test_eap_misses_both_redundant_routes_and_integrated_gradients_find_them():
    _, batch, _ = draw("two-route", 8)
    columns = model_of("two-route").graph.columns([e for r in two_route.ROUTES for e in r])
    np.testing.assert_allclose(scores_of(eap, "two-route", batch)[:, columns], 0, atol=1e-6)
    assert scores_of(eap_ig_inputs, "two-route", batch)[:, columns].min() > 3


# --- circuits -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", [planted.key for planted in PLANTED])
def test_the_known_circuit_reproduces_the_model(key):
    _, batch, _ = draw(key, 12, seed=1)
    known = get_planted(key).task.known_edges
    found = evaluate(model_of(key), circuit_of(key, known), batch, metric=LOGIT_DIFF)
    np.testing.assert_allclose(found.circuit, found.full, rtol=1e-5)
    assert found.value == pytest.approx(1, abs=1e-5)
    assert not found.flipped.any()


@pytest.mark.parametrize(("route", "strength"), [(0, "r1"), (1, "r2")])
def test_each_route_alone_keeps_every_prediction(route, strength):
    pairs, batch, _ = draw("two-route", 30)
    edges = (*two_route.ROUTES[route], two_route.SHARED)
    found = evaluate(
        model_of("two-route"), circuit_of("two-route", edges), batch, metric=LOGIT_DIFF
    )
    expected = [two_route.GAIN * float(dict(pair.attributes)[strength]) for pair in pairs]
    np.testing.assert_allclose(found.circuit, expected, rtol=1e-5)
    assert not found.flipped.any()
    assert found.value > 0.9


def test_neither_route_leaves_nothing():
    _, batch, _ = draw("two-route", 10)
    edges = (*two_route.ROUTES[0][:2], *two_route.ROUTES[1][1:], two_route.SHARED)
    found = evaluate(
        model_of("two-route"), circuit_of("two-route", edges), batch, metric=LOGIT_DIFF
    )
    np.testing.assert_allclose(found.circuit, 0, atol=1e-5)


@pytest.mark.parametrize("key", ["induction", "two-route", "gated"])
def test_circuits_run_as_the_numpy_model_says(key):
    planted, model, rng = get_planted(key), model_of(key), np.random.default_rng(5)
    pairs, batch, _ = draw(key, 3)
    known = sorted(planted.task.known_edges)
    for _ in range(6):
        kept = {edge for edge in model.graph.edge_names if rng.random() < 0.7}
        kept = (kept - set(known)) | {edge for edge in known if rng.random() < 0.7}
        circuit = circuit_of(key, sorted(kept))
        found = evaluate(model, circuit, batch, metric=LOGIT_DIFF).circuit
        rest = set(model.graph.edge_names) - kept
        expected = [patched_logit_diff(planted, planted.weights(), p, rest) for p in pairs]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_stability_of_redundant_routes_is_the_documented_value_and_not_one():
    graph, planted = model_of("two-route").graph, get_planted("two-route")
    rng = np.random.default_rng(0)
    means = [
        true_matrix("two-route", planted.task.sample(24, rng=rng)).mean(axis=0) for _ in range(300)
    ]
    found = phi(top_n_masks(np.array(means), 4))
    assert found == pytest.approx(two_route.phi_of_top_four(graph.n_edges), abs=0.03)
    assert round(two_route.phi_of_top_four(graph.n_edges), 3) == 0.611


# --- known noise --------------------------------------------------------------------------


def test_scores_of_the_noise_model_have_the_stated_mean_and_variance_components():
    per_template, templates = 60, noise.N_TEMPLATES
    _, batch, true = draw("noise", per_template * templates)
    scores = scores_of(exact, "noise", batch).astype(np.float64)
    np.testing.assert_allclose(scores, true, rtol=1e-5, atol=1e-5)
    group = np.array([noise.TASK.templates.index(name) for name in batch.templates])
    by_template = np.array([scores[group == g].mean(axis=0) for g in range(templates)])
    residual = scores - by_template[group]
    within = (residual**2).sum(axis=0) / (len(scores) - templates)
    between = by_template.var(axis=0, ddof=1) - within / per_template
    np.testing.assert_allclose(
        within_between(scores, batch.templates)[0].values, [between, within], atol=1e-6
    )
    for channel in noise.CHANNELS:
        columns = model_of("noise").graph.columns(channel.edges)
        of_mean = channel.within**2 / per_template
        error = np.sqrt((4 * channel.between**2 * of_mean + 2 * of_mean**2) / (templates - 1))
        se = channel.within / np.sqrt(len(scores))
        assert scores[:, columns].mean(axis=0) == pytest.approx(channel.mean, abs=5 * se)
        assert within[columns] == pytest.approx(channel.within**2, rel=5 * np.sqrt(2 / len(scores)))
        assert between[columns] == pytest.approx(channel.between**2, abs=5 * error)
