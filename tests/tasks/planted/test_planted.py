"""Planted models: closed-form effects against brute force in numpy, and what each model claims."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from circuitvar.circuits.graph import Graph
from circuitvar.tasks.catalog import get_task
from circuitvar.tasks.planted import gated, induction, noise, two_route
from circuitvar.tasks.planted.catalog import PLANTED, PLANTED_TASKS, get_planted
from circuitvar.tasks.planted.gpt2 import build_gpt2, word_tokenizer
from circuitvar.tasks.planted.types import SPECIAL, Planted
from circuitvar.tasks.tokens.tokens import tokenize
from circuitvar.tasks.types import PromptPair
from tests.tasks.planted.toy_planted import (
    forward,
    ids_of,
    logit_diff,
    oracle_effects,
    patched_logit_diff,
)

CASES = [
    pytest.param(planted, corruption.key, id=f"{planted.key}-{corruption.key}")
    for planted in PLANTED
    for corruption in planted.task.corruptions
]
EACH = [pytest.param(planted, id=planted.key) for planted in PLANTED]


def graph_of(planted: Planted) -> Graph:
    layers = planted.weights().layers
    return Graph(len(layers), len(layers[0].q), has_mlp=bool(layers[0].mlp_in.shape[1]))


def draw(planted: Planted, n: int, *, seed: int = 0, **options) -> tuple[PromptPair, ...]:
    return planted.task.sample(n, rng=np.random.default_rng(seed), **options)


def dense(planted: Planted, pair: PromptPair, names: tuple[str, ...]) -> np.ndarray:
    found = planted.effects(pair)
    assert set(found) <= set(names)
    return np.array([found.get(name, 0.0) for name in names])


# --- every planted model ------------------------------------------------------------------


@pytest.mark.parametrize(("planted", "corruption"), CASES)
def test_closed_form_effects_equal_brute_force_patching(planted, corruption):
    names, weights = graph_of(planted).edge_names, planted.weights()
    n = 2 if planted.key == "noise" else 4
    for pair in draw(planted, n, corruption=corruption):
        found = oracle_effects(planted, weights, pair, names)
        expected = dense(planted, pair, names)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        # Edges outside the circuit have no effect at all, not just a small one.
        np.testing.assert_array_equal(found[expected == 0], 0.0)


@pytest.mark.parametrize("planted", EACH)
def test_known_edges_are_those_with_an_effect_under_the_default_corruption(planted):
    pairs = draw(planted, 60)
    assert planted.task.known_edges == frozenset().union(*(planted.effects(p) for p in pairs))
    assert planted.task.known_edges <= set(graph_of(planted).edge_names)


@pytest.mark.parametrize("planted", EACH)
def test_hugging_face_model_computes_the_planted_weights(planted):
    weights = planted.weights()
    model = build_gpt2(weights)
    for pair in draw(planted, 4):
        for text in (pair.clean, pair.corrupt):
            ids = ids_of(planted, text)
            with torch.no_grad():
                logits = model(torch.tensor([ids])).logits[0, -1].numpy()
            expected = forward(weights, ids)["logits"]
            np.testing.assert_allclose(logits, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize(("planted", "corruption"), CASES)
def test_models_do_their_task_on_the_clean_prompt_and_not_on_the_corrupted_one(planted, corruption):
    weights = planted.weights()
    for pair in draw(planted, 8, corruption=corruption):
        clean, corrupt = (
            logit_diff(planted, pair, forward(weights, ids_of(planted, text))["logits"])
            for text in (pair.clean, pair.corrupt)
        )
        assert clean > 0
        if (planted.key, corruption) != ("integer", "other-word"):
            assert corrupt <= 1e-12


@pytest.mark.parametrize(("planted", "corruption"), CASES)
def test_every_prompt_tokenizes_to_equal_lengths_and_one_token_answers(planted, corruption):
    pairs = draw(planted, 50, corruption=corruption)
    found = tokenize(pairs, word_tokenizer(planted.vocabulary, name=planted.key))
    assert len(found.kept) == 50 and found.first_token_only == 0
    words = [planted.vocabulary[i] for i in found.batch.answers[:, 0]]
    assert words == [pair.answers[0].strip() for pair in pairs]
    assert found.bos == "<bos>"
    assert bool((found.batch.clean[:, 0] == SPECIAL.index("<bos>")).all())


@pytest.mark.parametrize("planted", EACH)
def test_sampling_depends_only_on_the_generator(planted):
    assert draw(planted, 9, seed=3) == draw(planted, 9, seed=3)
    assert draw(planted, 9, seed=3) != draw(planted, 9, seed=4)


@pytest.mark.parametrize("planted", [p for p in PLANTED if "a" in p.task.pools])
def test_pools_are_disjoint(planted):
    fixed = {"_", "none", "=", *SPECIAL, *noise.TOPICS, *induction.FILLERS}
    fixed |= {*gated.FILLERS, *gated.GATES}
    words = [
        {word for pair in draw(planted, 200, pool=pool) for word in pair.clean.split()} - fixed
        for pool in ("a", "b")
    ]
    assert words[0] and words[1] and not words[0] & words[1]


@pytest.mark.parametrize("planted", [p for p in PLANTED if p.linear])
def test_edges_into_the_logits_sum_to_the_gap_in_linear_models(planted):
    weights = planted.weights()
    for pair in draw(planted, 5):
        direct = sum(v for e, v in planted.effects(pair).items() if e.endswith("->logits"))
        corrupt = logit_diff(
            planted, pair, forward(weights, ids_of(planted, pair.corrupt))["logits"]
        )
        assert direct == pytest.approx(patched_logit_diff(planted, weights, pair) - corrupt)


def test_building_a_model_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    build_gpt2(get_planted("integer").weights())
    assert torch.equal(before, torch.random.get_rng_state())


def test_unknown_names_are_refused_with_the_allowed_ones():
    with pytest.raises(ValueError, match=r"unknown planted model 'two-rout'.*did you mean 'two-r"):
        get_planted("planted:two-rout")
    with pytest.raises(ValueError, match=r"no corruption 'noise'.*choose from signal, marker"):
        draw(get_planted("gated"), 1, corruption="noise")
    with pytest.raises(ValueError, match=r"no pool 'a': choose from all"):
        draw(get_planted("two-route"), 1, pool="a")


def test_keys_are_distinct_and_tasks_carry_them():
    assert [task.key for task in PLANTED_TASKS] == [f"planted-{p.key}" for p in PLANTED]
    for planted in PLANTED:
        assert get_task(planted.task.key) is planted.task


# --- integer: every number by hand --------------------------------------------------------

TWO = PromptPair("two", "none", (" yes",), (" no",))
# x = (3, -2)
# a0 = x A0 = (3*1 - 2*0, 3*2 - 2*1) = (3, 4)                  x + a0 = (6, 2)
# m0 = (6, 2) M0 = (6*2 + 2*1, 6*0 - 2*1) = (14, -2)           ... + m0 = (20, 0)
# a1 = (20, 0) A1 = (20*0 + 0*1, 20*1 + 0*1) = (0, 20)         ... + a1 = (20, 20)
# m1 = (20, 20) M1 = (20*1 - 20*1, 20*1 + 20*2) = (0, 60)      ... + m1 = (20, 80)
# logit_diff = 80 - 20 = 60
#
# What one unit in a destination's input is worth in the logit difference:
# logits: (-1, 1)
# m1: M1 (-1, 1) = (-1 + 1, 1 + 2) = (0, 3)
# a1: A1 [(-1, 1) + (0, 3)] = A1 (-1, 4) = (4, -1 + 4) = (4, 3)
# m0: M0 [(-1, 4) + (4, 3)] = M0 (3, 7) = (6, 3 - 7) = (6, -4)
# a0: A0 [(3, 7) + (6, -4)] = A0 (9, 3) = (9 + 6, 3) = (15, 3)
BY_HAND = {
    "input->a0.h0<v>": 3 * 15 - 2 * 3,  # 39
    "input->m0": 3 * 6 + 2 * 4,  # 26
    "a0.h0->m0": 3 * 6 - 4 * 4,  # 2
    "input->a1.h0<v>": 3 * 4 - 2 * 3,  # 6
    "a0.h0->a1.h0<v>": 3 * 4 + 4 * 3,  # 24
    "m0->a1.h0<v>": 14 * 4 - 2 * 3,  # 50
    "input->m1": -2 * 3,  # -6
    "a0.h0->m1": 4 * 3,  # 12
    "m0->m1": -2 * 3,  # -6
    "a1.h0->m1": 20 * 3,  # 60
    "input->logits": -3 - 2,  # -5
    "a0.h0->logits": -3 + 4,  # 1
    "m0->logits": -14 - 2,  # -16
    "a1.h0->logits": 20,
    "m1->logits": 60,
}


def test_integer_effects_equal_those_computed_by_hand():
    planted = get_planted("integer")
    weights = planted.weights()
    names = graph_of(planted).edge_names
    assert patched_logit_diff(planted, weights, TWO) == 60
    assert planted.effects(TWO) == BY_HAND
    found = oracle_effects(planted, weights, TWO, names)
    assert dict(zip(names, found.tolist(), strict=True)) == {
        name: BY_HAND.get(name, 0) for name in names
    }
    assert len(names) == 23 and len(BY_HAND) == 15


# --- two-route: redundancy ----------------------------------------------------------------


def test_each_route_alone_keeps_the_behaviour_and_neither_loses_all_of_it():
    planted = get_planted("two-route")
    weights, names = planted.weights(), set(graph_of(planted).edge_names)
    for pair in draw(planted, 20):
        labels = dict(pair.attributes)
        for route, strength in zip(two_route.ROUTES, ("r1", "r2"), strict=True):
            rest = names - {*route, two_route.SHARED}
            alone = patched_logit_diff(planted, weights, pair, rest)
            assert alone == pytest.approx(two_route.GAIN * float(labels[strength]))
            assert alone >= 0.9 * patched_logit_diff(planted, weights, pair)
        for i, j in np.ndindex(3, 3):
            both = {two_route.ROUTES[0][i], two_route.ROUTES[1][j]}
            assert patched_logit_diff(planted, weights, pair, both) == pytest.approx(0, abs=1e-12)


def test_full_strength_makes_the_other_route_worth_nothing():
    planted = get_planted("two-route")
    pair = PromptPair(
        "left100 right95 =",
        "left0 right0 =",
        (" yes",),
        (" no",),
        attributes=(("r1", "1.00"), ("r2", "0.95")),
    )
    names = graph_of(planted).edge_names
    found = oracle_effects(planted, planted.weights(), pair, names)
    np.testing.assert_allclose(found, dense(planted, pair, names), atol=1e-12)
    assert set(planted.effects(pair)) == {*two_route.ROUTES[0], two_route.SHARED}


@pytest.mark.parametrize("n", [40, 160])
def test_top_four_keeps_each_route_half_of_the_time_at_every_sample_size(n):
    rng = np.random.default_rng(n)
    names = graph_of(get_planted("two-route")).edge_names
    runs, ties = np.zeros((600, len(names)), dtype=bool), 0
    for run in runs:
        r1, r2 = rng.integers(90, 101, size=(2, n)).mean(axis=1)
        route = rng.integers(2) if r1 == r2 else int(r2 > r1)
        ties += r1 == r2
        run[[names.index(edge) for edge in (*two_route.ROUTES[route], two_route.SHARED)]] = True
    p, d = runs.mean(axis=0), len(names)
    share = 4 / d
    phi = 1 - (p * (1 - p)).mean() * len(runs) / (len(runs) - 1) / (share * (1 - share))
    assert ties < 40
    assert phi == pytest.approx(two_route.phi_of_top_four(d), abs=0.01)


# --- gated: the circuit depends on the template -------------------------------------------


@pytest.mark.parametrize("corruption", ["signal", "marker"])
def test_templates_of_one_gate_share_a_circuit_and_gates_differ(corruption):
    planted = get_planted("gated")
    circuits = {}
    for template in planted.task.templates:
        pairs = draw(planted, 6, templates=(template,), corruption=corruption)
        found = {frozenset(planted.effects(pair)) for pair in pairs}
        assert len(found) == 1
        circuits[template] = found.pop()
    copy, opposite = (
        {c for t, c in circuits.items() if t.startswith(f"gated-{gate}")} for gate in gated.GATES
    )
    assert len(copy) == len(opposite) == 1
    if corruption == "signal":
        assert not copy.pop() & opposite.pop()
    else:
        assert copy == opposite


# --- noise: true variance components ------------------------------------------------------


def channel_effects(pairs: tuple[PromptPair, ...]) -> np.ndarray:
    """Effect of the first edge of each channel, [example, channel]."""
    first = [channel.edges[0] for channel in noise.CHANNELS]
    found = [noise.effects(pair) for pair in pairs]
    return np.array([[effects[edge] for edge in first] for effects in found])


def test_drawn_effects_are_those_of_the_prompts():
    drawn = noise.draw_effects(30, rng=np.random.default_rng(3))
    rng = np.random.default_rng(3)
    topics = rng.integers(len(noise.TOPICS), size=30)
    words = rng.integers(len(noise.WORDS), size=(2, 30))
    for row, topic, first, second in zip(drawn, topics, *words, strict=True):
        clean = " ".join((noise.TOPICS[topic], noise.WORDS[first], noise.WORDS[second]))
        pair = PromptPair(clean, "_ _ _", (" yes",), (" no",), "noise-01", {})
        assert list(noise.effects(pair).values()) == pytest.approx(np.repeat(row, 2))


@pytest.mark.parametrize("pool", ["all", "a", "b"])
def test_channel_moments_hold_exactly_over_the_population(pool):
    means, between, within = np.array([(c.mean, c.between, c.within) for c in noise.CHANNELS]).T
    values = noise.values()
    topics = np.array([values[word] for word in noise.TOPICS])
    words = np.array([values[word] for word in noise.half(noise.WORDS, pool)])
    np.testing.assert_allclose(topics.mean(axis=0), means, atol=1e-12)
    np.testing.assert_allclose(topics.std(axis=0, ddof=1), between, atol=1e-12)
    np.testing.assert_allclose(words.mean(axis=0), 0, atol=1e-12)
    # Two words drawn with replacement: twice the variance of one.
    np.testing.assert_allclose(2 * np.cov(words.T, ddof=0), np.diag(within**2), atol=1e-12)
    covariance = np.cov(topics.T)
    np.testing.assert_allclose(covariance, np.diag(between**2), atol=1e-12)


def test_analysis_of_variance_of_drawn_prompts_finds_the_stated_components():
    per_template, templates = 200, noise.N_TEMPLATES
    pairs = draw(get_planted("noise"), per_template * templates)
    effects = channel_effects(pairs)
    groups = np.array([noise.TASK.templates.index(pair.template) for pair in pairs])
    assert np.bincount(groups).tolist() == [per_template] * templates
    means, between, within = np.array([(c.mean, c.between, c.within) for c in noise.CHANNELS]).T
    by_template = np.array([effects[groups == g].mean(axis=0) for g in range(templates)])
    residual = effects - by_template[groups]
    mean_square = (residual**2).sum(axis=0) / (len(pairs) - templates)
    component = by_template.var(axis=0, ddof=1) - mean_square / per_template
    standard_error = within / np.sqrt(len(pairs))
    np.testing.assert_array_less(np.abs(effects.mean(axis=0) - means), 5 * standard_error)
    np.testing.assert_allclose(mean_square, within**2, rtol=5 * np.sqrt(2 / len(pairs)))
    of_mean = within**2 / per_template
    spread = np.sqrt((4 * between**2 * of_mean + 2 * of_mean**2) / (templates - 1))
    np.testing.assert_array_less(np.abs(component - between**2), 5 * spread)


def test_both_edges_of_a_channel_have_the_same_effect():
    for pair in draw(get_planted("noise"), 10):
        found = noise.effects(pair)
        for first, second in (channel.edges for channel in noise.CHANNELS):
            assert found[first] == found[second]


def test_a_pair_from_another_corruption_has_other_effects():
    pair = draw(get_planted("induction"), 1)[0]
    other = replace(pair, attributes=(("corruption", "last-token"),))
    assert set(induction.effects(other)) < set(induction.effects(pair))
