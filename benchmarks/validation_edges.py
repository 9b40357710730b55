"""Size of the tests of edges, sets, clusters and the gate; parts of `validation.py`."""

from collections.abc import Iterator

import numpy as np
from validation_scores import EDGES, SIZE, Line, circuits, draw, regimes

from circuitvar.audit.agreement import halves_agreement
from circuitvar.audit.edges import (
    centred_bootstrap,
    cluster_prompts,
    compare_with_null,
    edge_summary,
    false_discovery,
    inner_outer,
    max_t,
    r_concave,
    shuffled_edges,
    shuffled_within,
    sign_flipped,
    sign_test,
    t_test,
)
from circuitvar.audit.indices import overlap_p_value, phi, phi_of_runs, phi_test, stratified_chance
from circuitvar.audit.intervals import asymptotic_sequence, bca_means, stop_when_decided
from circuitvar.audit.resampling import bootstrap, complementary_halves, replicate_sets
from circuitvar.audit.settings import Settings
from circuitvar.audit.single import halves_kuncheva, null_table
from circuitvar.audit.verdicts import judge, random_verdict
from circuitvar.reports.compare import Row, judge_rows

NOMINAL = "<= 0.05"


def edges(simulations, rng) -> Iterator[Line]:
    n, number, size, least = 60, 150, 20, 0.5
    effect = np.where(np.arange(number) < size, 0.8, 0.0)
    found: dict[str, list[float]] = {}

    def add(name: str, value) -> None:
        found.setdefault(name, []).append(float(value))

    for _ in range(simulations):
        shared = 0.7 * rng.normal(size=(n, 1))
        noise = shared + rng.normal(size=(n, number))
        scores, null = noise + effect, edge_summary(noise)
        options = {"rng": rng, "replicates": 199}
        tests = max_t(scores, edge_summary(scores), **options)
        add("max-T, any false edge, no effects", max_t(noise, null, **options).rejected.any())
        add("max-T step-down, any false edge, some effects", tests.rejected[size:].any())
        at = max_t(noise + least, edge_summary(noise + least), minimum_effect=least, **options)
        add("max-T of a minimum effect, all edges at it", at.rejected.any())
        label = np.arange(n) % 15
        clustered = noise + rng.normal(size=(15, number))[label]
        by = edge_summary(clustered, clusters=label)
        grouped = max_t(clustered, by, clusters=label, **options)
        add("max-T over 15 templates, any false edge", grouped.rejected.any())
        add("t test per edge", (t_test(null) < 0.05).mean())
        add("t test per edge, 15 templates", (t_test(by) < 0.05).mean())
        at_least = t_test(edge_summary(noise + least), minimum_effect=least)
        add("t test of a minimum effect, edges at it", (at_least < 0.05).mean())
        add("sign test per edge", (sign_test(null) < 0.05).mean())
        add("sign test per edge, 15 templates", (sign_test(by) < 0.05).mean())
        for name, dependent in (("BH", False), ("BY", True)):
            q = false_discovery(t_test(edge_summary(scores)), dependent=dependent) < 0.05
            add(f"false discovery rate ({name})", q[size:].sum() / max(q.sum(), 1))
        band = inner_outer(null.mean + effect, null.se, size=size, critical=tests.critical)
        add("inner or outer wrong", band.inner[size:].any() or not band.outer[:size].all())
        low, high = bca_means(scores[:, :5], bootstrap(n, 1000, rng=rng))
        add("BCa misses", ((low > effect[:5]) | (high < effect[:5])).mean())
    for name, values in found.items():
        nominal = "0.05" if name == "BCa misses" else NOMINAL
        yield name, f"n = {n}, {number} edges", float(np.mean(values)), nominal
    yield from unequal_templates(simulations, rng)


def unequal_templates(simulations, rng) -> Iterator[Line]:
    """Band and tests of 50 edges over templates of equal and of unequal size; effects of 5."""
    number, effect = 50, 5.0
    for where, sizes in (
        ("12 templates of 10", [10] * 12),
        ("6 of 20 and 6 of 10", [20, 10] * 6),
        ("6 of 30 and 6 of 10", [30, 10] * 6),
        ("60, 40, 20, 10, 10, 4 x 5, 3, 3, 2", [60, 40, 20, 10, 10, 5, 5, 5, 5, 3, 3, 2]),
    ):
        label = np.repeat(np.arange(len(sizes)), sizes)
        for noise, between, within in (("", 1.0, 0.5), (", prompts differ", 0.2, 2.0)):
            rates = []
            for _ in range(simulations):
                null = between * rng.normal(size=(len(sizes), number))[label]
                null += within * rng.normal(size=(len(label), number))
                by, moved = (edge_summary(s, clusters=label) for s in (null, null + effect))
                options = {"rng": rng, "clusters": label, "replicates": 199}
                band = max_t(null + effect, moved, **options).critical * moved.se
                rates.append(
                    (
                        (np.abs(moved.mean - effect) <= band).all(),
                        max_t(null, by, **options).rejected.any(),
                        (t_test(by) < 0.05).mean(),
                    )
                )
            covered, wrong, size = np.mean(rates, axis=0)
            yield f"simultaneous band covers{noise}", where, covered, "0.95"
            yield f"max-T, any false edge{noise}", where, wrong, NOMINAL
            yield f"t test per edge{noise}", where, size, NOMINAL


def overlaps(simulations, rng) -> Iterator[Line]:
    """Two unrelated circuits: uniform over edges, or alike only in which strata they use."""
    number, size = 300, 30
    strata = np.repeat(np.arange(6), 50)
    p = {"uniform": [], "stratified": [], "stratified, uniform p": []}
    for _ in range(simulations):
        a, b = (np.isin(np.arange(number), rng.choice(number, size, False)) for _ in range(2))
        p["uniform"].append(overlap_p_value(size, size, int((a & b).sum()), number))
        a, b = (
            np.isin(np.arange(number), rng.choice(100, size, False)) for _ in range(2)
        )  # both in the first two strata
        p["stratified"].append(stratified_chance(a, b, strata)[1])
        p["stratified, uniform p"].append(overlap_p_value(size, size, int((a & b).sum()), number))
    rates = {name: float((np.array(values) <= 0.05).mean()) for name, values in p.items()}
    yield "overlap of two circuits, hypergeometric", "uniform edges", rates["uniform"], NOMINAL
    yield "overlap of two circuits, stratified", "same two strata", rates["stratified"], NOMINAL
    yield (
        "overlap of two circuits, hypergeometric", "same two strata",
        rates["stratified, uniform p"], "wrong null",
    )  # fmt: skip


def nulls(simulations, rng) -> Iterator[Line]:
    """Scores without effects against every null of scores; p of `compare_with_null`."""

    def statistic(scores, stream):
        return halves_kuncheva(scores, size=8, rng=stream, pairs=3)

    strata = np.arange(60) % 3
    families = (
        ("sign-flipped examples", sign_flipped()),
        ("centred bootstrap", centred_bootstrap),
        ("shuffled edges", shuffled_edges),
        ("shuffled within strata", shuffled_within(strata)),
    )
    for name, null in families:
        few = [
            compare_with_null(rng.normal(size=(20, 60)), statistic, null, draws=19, rng=rng).p_value
            for _ in range(simulations)
        ]
        yield (
            f"stability against {name}",
            "no effects",
            float((np.array(few) <= 0.05).mean()),
            NOMINAL,
        )
    for templates, each in ((12, 8), (4, 24)):
        names = tuple(str(i // each) for i in range(templates * each))
        p = []
        for seed in range(simulations):
            shared = np.repeat(0.7 * rng.normal(size=(templates, 60)), each, axis=0)
            table = null_table(
                shared + rng.normal(size=shared.shape), Settings(seed=seed), 8, templates=names
            )
            p.append(table["p"].to_numpy())
        for name, rate in zip(table["null"], (np.array(p) <= 0.05).mean(axis=0), strict=True):
            yield f"stability against {name}", f"{templates} templates", float(rate), NOMINAL
    several = [
        cluster_prompts(rng.normal(size=(30, 80)), rng=rng, null_draws=19).number > 1
        for _ in range(simulations)
    ]
    yield "more than one prompt cluster", "one cluster", float(np.mean(several)), NOMINAL


def decisions(simulations, rng) -> Iterator[Line]:
    """Verdicts and gates where the truth is exactly at the bar."""
    effect = regimes(rng)["heavy"]
    truth = phi(circuits(effect, 72, 400, rng))
    passed, runs = [], {m: [] for m in (5, 10, 30)}
    pool = circuits(effect, 60, 1500, rng)
    bar = phi(pool)
    for _ in range(simulations):
        found = halves_agreement(draw(effect, 144, rng)[0], size=SIZE, rng=rng, pairs=30)
        passed.append(judge("", found.phi, truth, bar_text="").outcome == "pass")
        for m, rejected in runs.items():
            masks = pool[rng.choice(len(pool), m, replace=False)]
            rejected.append(phi_test(phi_of_runs(masks), bar) <= 0.05)
    yield "verdict on phi of halves passes", "truth at the bar", float(np.mean(passed)), "<= 0.025"
    for m, rejected in runs.items():
        yield "test of phi against the truth", f"{m} runs", float(np.mean(rejected)), NOMINAL
    beaten = [
        random_verdict(0.0, np.where(rng.random(100) < 0.9, -1.0, 1.0), null="").outcome == "pass"
        for _ in range(simulations)
    ]
    yield "beats random circuits", "true share at the bar", float(np.mean(beaten)), "<= 0.025"
    missed = wrong = 0
    for _ in range(simulations):
        low, high = asymptotic_sequence(rng.normal(size=2000), t_star=2000)
        missed += bool(((low > 0) | (high < 0)).any())
        stopped = stop_when_decided(iter(rng.exponential(size=2000) - 1), bar=0.0, budget=2000)
        wrong += bool(stopped.low > 0 or stopped.high < 0)
    yield "confidence sequence misses at some t <= 2000", "watched", missed / simulations, NOMINAL
    yield "stops with a decision", "truth at the bar, skewed", wrong / simulations, NOMINAL
    yield from gates(simulations, rng)


def gates(simulations, rng) -> Iterator[Line]:
    """Six measures of 24 paired units, all exactly at their tolerance or all equal."""
    rates = {name: [] for name in ("worse", "no worse")}
    for _ in range(simulations):
        for loss, outcome in ((0.1, "worse"), (0.1, "no worse")):
            gap = -loss + 0.2 * rng.normal(size=(24, 6))
            se = gap.std(axis=0, ddof=1) / np.sqrt(24)
            rows = [
                Row(str(i), 0.0, 0.0, float(d), float(s), 23, tolerance=loss)
                for i, (d, s) in enumerate(zip(gap.mean(axis=0), se, strict=True))
            ]
            rates[outcome].append(judge_rows(rows).outcome == outcome)
    where = "6 measures, at tolerance"
    yield "gate says worse (Holm)", where, float(np.mean(rates["worse"])), NOMINAL
    yield "gate says no worse", where, float(np.mean(rates["no worse"])), NOMINAL


def low_probability_edges(simulations, rng) -> Iterator[Line]:
    effect, tau, pairs, few = regimes(rng)["heavy"], 0.7, 25, max(simulations // 4, 50)
    own = circuits(effect, 50, 4000, rng).mean(axis=0)
    low = own <= SIZE / EDGES
    kept = []
    for _ in range(few):
        halves = complementary_halves(100, pairs, rng=rng)
        sets = replicate_sets(draw(effect, 100, rng)[0], halves.weights, size=SIZE)
        kept.append(int((low & (sets.inclusion >= tau)).sum()))
    bound = r_concave(tau, SIZE, EDGES, pairs=pairs)
    yield "low-probability edges kept at tau = .7", "heavy", float(np.mean(kept)), f"<= {bound:.2f}"
