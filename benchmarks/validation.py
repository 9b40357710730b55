"""Coverage of every interval and size of every test, on planted scores with known truth.

    python benchmarks/validation.py [--simulations 400] [--only phi]

Each line: what, setting, estimate, nominal. The Monte-Carlo SE of a coverage near .95 is about
.011 at 400 simulations.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from validation_scores import EDGES, SIZE, Line, circuits, circuits_fast, covered, draw, regimes

from circuitvar.audit.approximation import agreement_with_exact
from circuitvar.audit.bca import bca_means
from circuitvar.audit.component_intervals import component_interval, excess_kurtosis
from circuitvar.audit.confidence_sequence import asymptotic_sequence
from circuitvar.audit.edge_summary import edge_summary, sign_test
from circuitvar.audit.edge_tests import false_discovery, max_t, t_test
from circuitvar.audit.forecast import forecast
from circuitvar.audit.halves import halves_agreement
from circuitvar.audit.inner_outer import inner_outer
from circuitvar.audit.intervals import t_interval
from circuitvar.audit.jaccard import jaccard_of_resamples, jaccard_of_runs, pairwise_jaccard
from circuitvar.audit.nogueira import closed_form_variance, phi, phi_of_resamples, phi_of_runs
from circuitvar.audit.null_models import compare_with_null, sign_flipped
from circuitvar.audit.prompt_clusters import cluster_prompts
from circuitvar.audit.rank import spearman
from circuitvar.audit.replicate_sets import replicate_sets, top_k_masks
from circuitvar.audit.stability_selection import r_concave
from circuitvar.audit.variance_components import nested
from circuitvar.audit.weights import bootstrap, complementary_halves


def phi_of_independent_runs(simulations, rng) -> Iterator[Line]:
    effect = regimes(rng)["heavy"]
    pool = circuits(effect, 60, 1500, rng)
    truth = phi(pool)
    pairs = pairwise_jaccard(pool[:600])
    jaccard = (pairs.sum() - 600) / (600 * 599)
    for runs in (3, 5, 10, 30):
        hit = np.zeros(3)
        for _ in range(simulations):
            masks = pool[rng.choice(len(pool), runs, replace=False)]
            published = t_interval(
                "phi", phi(masks), closed_form_variance(masks) ** 0.5, df=1e9, n=runs, interval="z"
            )
            hit += [
                covered(phi_of_runs(masks), truth),
                covered(jaccard_of_runs(pairwise_jaccard(masks)), jaccard),
                covered(published, truth),
            ]
        for name, share in zip(
            ("phi, row jackknife t", "Jaccard, row jackknife t", "phi, published closed form"),
            hit / simulations,
            strict=True,
        ):
            yield name, f"{runs} independent runs", share, "0.95" if "t" in name[-1] else "low"


def phi_of_halves(simulations, rng) -> Iterator[Line]:
    for name, effect in regimes(rng).items():
        for templates in (0, 24):
            n = 144
            half = {"templates": templates // 2, "spread": 0.5}
            truth = phi(circuits(effect, n // 2, 300, rng, **half))
            hit, values = 0, []
            for _ in range(simulations):
                scores, label = draw(effect, n, rng, templates=templates)
                found = halves_agreement(scores, size=SIZE, rng=rng, clusters=label, pairs=30).phi
                hit += covered(found, truth)
                values.append(found.value)
            unit = "templates" if templates else "prompts"
            yield f"phi of halves of {unit}, coverage", name, hit / simulations, "0.95"
            yield f"phi of halves of {unit}, bias", name, float(np.mean(values) - truth), "0"


def tied_routes(simulations, rng) -> Iterator[Line]:
    """Two routes of three edges that win equally often, as in `planted:two-route`."""
    edges, size = 110, 4
    truth = 1 - 6 * 0.25 / edges / (size / edges * (1 - size / edges))

    def scores(n):
        found = np.zeros((n, edges))
        found[:, 0] = 10.0
        found[:, 1:4], found[:, 4:7] = rng.uniform(size=(2, n, 1))
        return found

    hit = 0
    for _ in range(simulations):
        hit += covered(halves_agreement(scores(144), size=size, rng=rng, pairs=30).phi, truth)
    yield "phi of halves of prompts, coverage", "two tied routes", hit / simulations, "0.95"
    for runs in (5, 8, 12, 30):
        hit = 0
        for _ in range(simulations):
            means = np.stack([scores(20).mean(axis=0) for _ in range(runs)])
            hit += covered(phi_of_runs(top_k_masks(means, size)), truth)
        yield "phi, row jackknife t", f"two tied routes, {runs} runs", hit / simulations, "0.95"


def phi_of_the_bootstrap(simulations, rng) -> Iterator[Line]:
    for name, effect in regimes(rng).items():
        for replicates in (100, 400):
            found = []
            for _ in range(simulations):
                scores, _ = draw(effect, 100, rng)
                r = bootstrap(100, replicates, rng=rng)
                sets = replicate_sets(scores, r.weights, size=SIZE)
                masks = sets.masks(sets.contested)
                kept = {"n_edges": EDGES, "always": sets.always}
                pairs = pairwise_jaccard(masks, always=sets.always)
                found.append(
                    (
                        phi_of_resamples(masks, r.counts, **kept),
                        phi_of_resamples(masks, r.counts, method="jab", **kept),
                        jaccard_of_resamples(pairs, r.counts),
                    )
                )
            labels = (
                "phi, infinitesimal jackknife",
                "phi, jackknife after bootstrap",
                "Jaccard, IJ",
            )
            for i, label in enumerate(labels):
                truth = float(np.mean([row[i].value for row in found]))
                share = float(np.mean([covered(row[i], truth) for row in found]))
                yield label, f"{name}, B = {replicates}", share, "0.95"


def components(simulations, rng) -> Iterator[Line]:
    edges = max(simulations, 2000)
    for templates in (12, 30):
        for law, sample in (
            ("normal", rng.standard_normal),
            ("t(3)", lambda size: rng.standard_t(3, size=size) / np.sqrt(3)),
        ):
            y = sample((templates, 1, edges)) + 1.5 * rng.normal(size=(templates, 10, edges))
            c = nested(y[:, :, None])
            for method in ("mls", "satterthwaite"):
                low, high = component_interval(c, "template", method=method)
                share = float(((low <= 1) & (high >= 1)).mean())
                nominal = "0.95" if law == "normal" else "leans on normality"
                yield f"between-template, {method}", f"{templates} templates, {law}", share, nominal
            kurtosis = excess_kurtosis(y.mean(axis=1))
            low, high = component_interval(c, "template", kurtosis=kurtosis)
            share = float(((low <= 1) & (high >= 1)).mean())
            yield (
                "between-template, mls, pooled kurtosis",
                f"{templates} templates, {law}",
                share,
                "0.95",
            )
            low, high = component_interval(c, "prompt")
            share = float(((low <= 2.25) & (high >= 2.25)).mean())
            yield "within-template, chi²", f"{templates} templates, {law}", share, "0.95"


def forecasts(simulations, rng) -> Iterator[Line]:
    ahead = (100, 400, 800, 1600)
    for name, effect in regimes(rng).items():
        truth = np.array([phi(circuits_fast(effect, n, 100, rng)) for n in ahead])
        values = np.stack(
            [
                forecast(
                    edge_summary(draw(effect, 200, rng)[0]),
                    size=SIZE,
                    units=ahead,
                    rng=rng,
                    draws=8,
                )["phi"]
                for _ in range(max(simulations // 10, 10))
            ]
        )
        for n, error in zip(ahead, np.abs(values - truth).mean(axis=0), strict=True):
            yield "forecast of phi from 200 prompts, mean error", f"{name}, n = {n}", error, "-"


def edge_level(simulations, rng) -> Iterator[Line]:
    n, edges, size = 60, 150, 20
    effect = np.where(np.arange(edges) < size, 0.8, 0.0)
    hit = np.zeros(8)
    for _ in range(simulations):
        shared = 0.7 * rng.normal(size=(n, 1))
        scores = effect + shared + rng.normal(size=(n, edges))
        null = edge_summary(scores - effect)
        r = bootstrap(n, 1000, rng=rng)
        tests = max_t(scores, edge_summary(scores), rng=rng, replicates=199)
        found = inner_outer(null.mean + effect, null.se, size=size, critical=tests.critical)
        low, high = bca_means(scores[:, :5], r)
        q = false_discovery(t_test(edge_summary(scores)), dependent=True) < 0.05
        label = np.arange(n) % 15
        clustered = scores - effect + rng.normal(size=(15, edges))[label]
        by = edge_summary(clustered, clusters=label)
        hit += [
            max_t(scores - effect, null, rng=rng, replicates=199).rejected.any(),
            tests.rejected[size:].any(),
            max_t(clustered, by, rng=rng, replicates=199, clusters=label).rejected.any(),
            (t_test(null) < 0.05).mean(),
            (sign_test(null) < 0.05).mean(),
            q[size:].sum() / max(q.sum(), 1),
            found.inner[size:].any() or not found.outer[:size].all(),
            ((low > effect[:5]) | (high < effect[:5])).mean(),
        ]
    names = (
        "max-T, any false edge, no effects", "max-T step-down, any false edge, some effects",
        "max-T over 15 templates, any false edge", "t test per edge", "sign test per edge",
        "false discovery rate (BY)", "inner or outer wrong", "BCa misses",
    )  # fmt: skip
    for name, share in zip(names, hit / simulations, strict=True):
        yield name, f"n = {n}, {edges} edges", float(share), "<= 0.05"


def other_tests(simulations, rng) -> Iterator[Line]:
    few = max(simulations // 2, 100)

    def statistic(scores, stream):
        return halves_agreement(scores, size=8, rng=stream, pairs=3, interval_splits=0).phi.value

    size = np.mean(
        [
            compare_with_null(
                rng.normal(size=(20, 60)), statistic, sign_flipped, draws=19, rng=rng
            ).p_value
            <= 0.05
            for _ in range(few)
        ]
    )
    yield "stability against sign-flipped null", "no effects", float(size), "<= 0.05"
    size = np.mean(
        [cluster_prompts(rng.normal(size=(30, 80)), rng=rng, null_draws=19).number > 1
         for _ in range(few)]
    )  # fmt: skip
    yield "more than one prompt cluster", "one cluster", float(size), "<= 0.05"
    missed = 0
    for _ in range(simulations):
        low, high = asymptotic_sequence(rng.normal(size=2000), t_star=2000)
        missed += bool(((low > 0) | (high < 0)).any())
    yield "confidence sequence misses at some t <= 2000", "watched", missed / simulations, "<= 0.05"
    exact, truth = 0.2 * rng.standard_t(3, size=200), []
    hit = 0
    wrong = exact + 0.1 * rng.normal(size=200)
    for _ in range(simulations):
        c = exact + rng.normal(size=(80, 200))
        h = c - exact + wrong + 0.5 * rng.normal(size=(80, 200))
        truth.append(spearman(h.mean(axis=0), c.mean(axis=0)))
    target = float(np.mean(truth))
    for _ in range(simulations):
        c = exact + rng.normal(size=(80, 200))
        h = c - exact + wrong + 0.5 * rng.normal(size=(80, 200))
        hit += covered(agreement_with_exact(h, c, top=20, rng=rng)[0], target)
    yield "Spearman with exact, group jackknife", "80 prompts", hit / simulations, "0.95"


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


PARTS: tuple[tuple[str, Callable[..., Iterator[Line]]], ...] = (
    ("runs", phi_of_independent_runs),
    ("halves", phi_of_halves),
    ("tied", tied_routes),
    ("bootstrap", phi_of_the_bootstrap),
    ("components", components),
    ("forecasts", forecasts),
    ("edges", edge_level),
    ("tests", other_tests),
    ("selection", low_probability_edges),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--only", choices=[name for name, _ in PARTS])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for name, part in PARTS:
        if options.only in (None, name):
            for what, setting, value, nominal in part(
                options.simulations, np.random.default_rng(options.seed)
            ):
                print(f"{what:<48}{setting:<28}{value:>8.3f}   {nominal}", flush=True)


if __name__ == "__main__":
    main()
