"""Coverage of components, ledger shares, ratios and differences; parts of `validation.py`."""

from collections.abc import Iterator

import numpy as np
from validation_scores import EDGES, SIZE, Line, covered, draw, regimes

from circuitvar.audit.agreement import Selected, bootstrap_change, halves_change
from circuitvar.audit.indices import mean_spearman, mean_spearman_of_runs, phi, phi_difference
from circuitvar.audit.intervals import ratio_of_means, share_estimate
from circuitvar.audit.resampling import bootstrap
from circuitvar.audit.variance import (
    agreement_estimates,
    agreement_with_exact,
    component_interval,
    ledger,
    nested,
    sampling_parts,
    two_way,
    within_between,
)
from circuitvar.circuits.find import top_n_masks


def effects(law: str, rng):
    """Sampler of effects with mean 0 and variance 1."""
    if law == "normal":
        return lambda *size: rng.normal(size=size)
    if law == "Laplace":
        return lambda *size: rng.laplace(size=size) / np.sqrt(2)
    return lambda *size: rng.standard_t(3, size=size) / np.sqrt(3)


def components(simulations, rng) -> Iterator[Line]:
    edges = max(simulations, 2000)
    for templates in (6, 12, 30):
        for law in ("normal", "Laplace", "t(3)"):
            e = effects(law, rng)
            y = e(templates, 1, edges) + 1.5 * e(templates, 10, edges)
            label = np.repeat(np.arange(templates), 10)[: 10 * templates - 7]
            uneven = within_between(y.reshape(-1, edges)[: len(label)], label)[0]
            where = f"{templates} templates, {law}"
            tables = (("nested", nested(y[:, :, None]), 0, 1), ("uneven", uneven, 0, 1))
            for name, c, first, second in tables:
                for row, truth, what in ((first, 1.0, "between"), (second, 2.25, "within")):
                    share = inside(component_interval(c, c.names[row]), truth)
                    yield f"variance {what} templates, {name}", where, share, "0.95"
            c = nested(y[:, :, None])
            for row, truth, what in ((0, 1.0, "between"), (1, 2.25, "within")):
                share = inside(component_interval(c, c.names[row], normal=True), truth)
                nominal = "0.95" if law == "normal" else "low"
                yield f"variance {what} templates, nominal df", where, share, nominal
            low, high = component_interval(c, "template", method="satterthwaite")
            yield "variance between, Satterthwaite", where, inside((low, high), 1.0), "-"
            crossed = e(templates, 1, edges) + e(1, 10, edges) + e(templates, 10, edges)
            found = two_way(crossed)
            for name in found.names:
                share = inside(component_interval(found, name), 1.0)
                yield f"two-way variance of {name}", where, share, "0.95"


def inside(interval, truth: float) -> float:
    low, high = interval
    return float(((low <= truth) & (high >= truth)).mean())


def shares(simulations, rng) -> Iterator[Line]:
    """Shares of the ledger, summed over 50 edges, 24 templates of 10 prompts."""
    templates, each, edges = 24, 10, 50
    label = np.repeat(np.arange(templates), each)
    within, between = 1.5**2 / (templates * each), 1 / templates
    truths = (within / (within + between), between / (within + between))
    for law in ("normal", "t(3)"):
        e, hit = effects(law, rng), np.zeros(2)
        for _ in range(simulations):
            scores = e(templates, edges)[label] + 1.5 * e(len(label), edges)
            frame = ledger(sampling_parts(scores, clusters=label, rng=rng))
            hit += [
                low <= truth <= high
                for low, high, truth in zip(
                    frame["share_low"], frame["share_high"], truths, strict=True
                )
            ]
        for name, share in zip(("within", "between"), hit / simulations, strict=True):
            yield f"ledger share {name} templates", f"24 templates, {law}", share, "0.95"


def ratios(simulations, rng) -> Iterator[Line]:
    """Faithfulness and circuit error: ratios over prompts, and over templates that differ."""
    hit = np.zeros(4)
    names = tuple(f"t{i % 20}" for i in range(120))
    for _ in range(simulations):
        bottom = 3 + rng.normal(size=120)
        top = 0.8 * bottom + 0.5 * rng.standard_t(4, size=120)
        hit[0] += covered(ratio_of_means("", top, bottom), 0.8)
        shift = 0.5 * rng.normal(size=20)[np.arange(120) % 20]
        hit[1] += covered(ratio_of_means("", top + shift, bottom, templates=names), 0.8)
        hit[2] += covered(share_estimate("", rng.random(120) < 0.1), 0.1)
        hit[3] += covered(share_estimate("", rng.random(120) < 0.005), 0.005)
    for (name, where), share in zip(
        (
            ("ratio of means, jackknife", "120 prompts"),
            ("ratio of means, jackknife", "20 templates"),
            ("share, jackknife", "share .1, 120 prompts"),
            ("share, jackknife or exact", "share .005, 120 prompts"),
        ),
        hit / simulations,
        strict=True,
    ):
        yield name, where, share, "0.95"


def exact_pair(rng, exact, wrong, n=80):
    """Scores of a method and exact effects on the same prompts."""
    c = exact + rng.normal(size=(n, len(exact)))
    return c - exact + wrong + 0.5 * rng.normal(size=c.shape), c


def agreement(simulations, rng) -> Iterator[Line]:
    """Agreement with exact effects; truth: its mean over data sets."""
    exact = 0.2 * rng.standard_t(3, size=200)
    wrong = exact + 0.1 * rng.normal(size=200)
    names = tuple(f"p{i}" for i in range(80))
    found = []
    for _ in range(simulations):
        h, c = exact_pair(rng, exact, wrong)
        found.append(
            (
                *agreement_with_exact(h, c, top=20, rng=rng),
                *agreement_estimates(h, c, names, size=20),
            )
        )
    for i, first in enumerate(found[0]):
        truth = float(np.mean([row[i].value for row in found]))
        share = float(np.mean([covered(row[i], truth) for row in found]))
        yield first.name, first.interval, share, "0.95"
    truth = np.mean([spearman_of_two(exact, rng) for _ in range(400)])
    for runs in (5, 20):
        hit = 0
        for _ in range(simulations):
            hit += covered(
                mean_spearman_of_runs(exact + 0.2 * rng.normal(size=(runs, 200))), float(truth)
            )
        yield "mean Spearman, row jackknife t", f"{runs} runs", hit / simulations, "0.95"


def spearman_of_two(effect, rng) -> float:
    return mean_spearman(effect + 0.2 * rng.normal(size=(2, len(effect))))


def differences(simulations, rng) -> Iterator[Line]:
    """Change of phi between two methods on the same prompts, and between groups of runs."""
    for name in ("heavy", "weak"):
        effect = regimes(rng)[name]
        found = []
        for _ in range(simulations):
            first, _ = draw(effect, 100, rng)
            second = first + rng.normal(size=first.shape)
            both = Selected(first, SIZE), Selected(second, SIZE)
            found.append(
                (
                    halves_change(*both, rng=rng, pairs=20)[0].difference,
                    bootstrap_change(*both, bootstrap(100, 100, rng=rng))[0].difference,
                )
            )
        for i, what in enumerate(("the same halves", "the same bootstrap")):
            truth = float(np.mean([row[i].value for row in found]))
            share = float(np.mean([covered(row[i], truth) for row in found]))
            yield f"difference of phi, {what}", f"{name}, 100 prompts", share, ">= 0.95"
    effect = regimes(rng)["heavy"]
    pools = [
        top_n_masks(effect + rng.normal(size=(1500, EDGES)) / np.sqrt(n), SIZE) for n in (60, 120)
    ]
    truth = phi(pools[1]) - phi(pools[0])
    for runs in (5, 20):
        hit = 0
        for _ in range(simulations):
            a, b = (pool[rng.choice(1500, runs, replace=False)] for pool in pools)
            hit += covered(phi_difference(a, b), truth)
        yield "difference of phi, independent runs", f"{runs} + {runs}", hit / simulations, "0.95"
