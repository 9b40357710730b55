"""Coverage of the intervals of phi and Jaccard; parts of `validation.py`."""

from collections.abc import Iterator

import numpy as np
from validation_scores import (
    SIZE,
    Line,
    circuits,
    covered,
    draw,
    few_strong,
    planted_noise,
    regimes,
    tied_routes,
)

from circuitvar.audit.agreement import bootstrap_axis, halves_agreement, with_block_interval
from circuitvar.audit.indices import (
    closed_form_variance,
    jaccard_of_runs,
    pairwise_jaccard,
    phi,
    phi_of_resamples,
    phi_of_runs,
)
from circuitvar.audit.intervals import t_interval
from circuitvar.audit.resampling import bootstrap
from circuitvar.audit.types import Estimate
from circuitvar.circuits.find import top_n_masks


def independent_runs(simulations, rng) -> Iterator[Line]:
    effect = regimes(rng)["heavy"]
    pool = circuits(effect, 60, 1500, rng)
    truth = phi(pool)
    pairs = pairwise_jaccard(pool[:600])
    jaccard = (pairs.sum() - 600) / (600 * 599)
    for runs in (3, 5, 10, 30):
        hit = np.zeros(3)
        for _ in range(simulations):
            masks = pool[rng.choice(len(pool), runs, replace=False)]
            z = Estimate("phi", phi(masks), closed_form_variance(masks) ** 0.5, n=runs)
            published = t_interval(z, df=1e9)
            hit += [
                covered(phi_of_runs(masks), truth),
                covered(jaccard_of_runs(pairwise_jaccard(masks), size=SIZE), jaccard),
                covered(published, truth),
            ]
        for name, share in zip(
            ("phi, row jackknife t", "Jaccard, row jackknife t", "phi, published closed form"),
            hit / simulations,
            strict=True,
        ):
            yield name, f"{runs} independent runs", share, "0.95" if "t" in name[-1] else "low"


def agreement_of(effect, n, rng, *, runs=300, size=SIZE, **options) -> tuple[float, float]:
    """True phi and Jaccard of two fresh samples of n prompts."""
    masks = circuits(effect, n, runs, rng, size=size, **options)
    pairs = pairwise_jaccard(masks)
    return phi(masks), float((pairs.sum() - runs) / (runs * (runs - 1)))


def halves(simulations, rng) -> Iterator[Line]:
    cases = [
        (name, effect, SIZE, n, templates)
        for name, effect in regimes(rng).items()
        for n, templates in ((144, 0), (60, 0), (144, 24), (96, 12))
    ]
    for size in (5, 10, 20):
        effect = few_strong(rng)
        cases += [(f"heavy, {size} edges", effect, size, 144, t) for t in (0, 24)]
    for name, effect, size, n, templates in cases:
        half = {"templates": templates // 2, "spread": 0.5}
        truths = agreement_of(effect, n // 2, rng, size=size, **half)
        hit, values = np.zeros(2), []
        for _ in range(simulations):
            scores, label = draw(effect, n, rng, templates=templates)
            found = halves_agreement(scores, size=size, rng=rng, clusters=label, pairs=30)
            hit += [covered(found.phi, truths[0]), covered(found.jaccard, truths[1])]
            values.append(found.phi.value)
        unit = f"{templates} templates" if templates else f"{n} prompts"
        for index, share in zip(("phi", "Jaccard"), hit / simulations, strict=True):
            yield f"{index} of halves, coverage", f"{name}, {unit}", share, "0.95"
        yield "phi of halves, bias", f"{name}, {unit}", float(np.mean(values) - truths[0]), "0"


def tied(simulations, rng) -> Iterator[Line]:
    """Two routes of three edges that win equally often, as in `planted:two-route`."""
    edges, size = 110, 4
    truth = 1 - 6 * 0.25 / edges / (size / edges * (1 - size / edges))
    hit = 0
    for _ in range(simulations):
        scores = tied_routes(144, edges, rng)
        hit += covered(halves_agreement(scores, size=size, rng=rng, pairs=30).phi, truth)
    yield "phi of halves, coverage", "two tied routes, 144 prompts", hit / simulations, ">= 0.95"
    for runs in (5, 8, 12, 30):
        hit = 0
        for _ in range(simulations):
            means = np.stack([tied_routes(20, edges, rng).mean(axis=0) for _ in range(runs)])
            hit += covered(phi_of_runs(top_n_masks(means, size)), truth)
        yield "phi, row jackknife t", f"two tied routes, {runs} runs", hit / simulations, ">= 0.95"


def close_calls(simulations, rng) -> Iterator[Line]:
    """`planted:noise`: sixteen channels, so that one or two close calls decide."""
    for n in (60, 120, 240):
        for size in (12, 16, 20):
            means = np.stack([planted_noise(n // 2, rng).mean(axis=0) for _ in range(2000)])
            masks = top_n_masks(means, size)
            pairs = pairwise_jaccard(masks[:600])
            truths = phi(masks), float((pairs.sum() - 600) / (600 * 599))
            hit, sets = np.zeros(2), []
            for _ in range(simulations):
                scores = planted_noise(n, rng)
                sets.append(top_n_masks(scores.mean(axis=0)[None], size)[0])
                found = halves_agreement(scores, size=size, rng=rng, pairs=30)
                hit += [covered(found.phi, truths[0]), covered(found.jaccard, truths[1])]
            where = f"planted:noise, {n} prompts, {size} edges"
            for index, share in zip(("phi", "Jaccard"), hit / simulations, strict=True):
                yield f"{index} of halves, coverage", where, share, "0.95"
            pool = np.stack(sets)
            for runs in (5, 10, 30):
                drawn = [pool[rng.choice(len(pool), runs, False)] for _ in range(simulations)]
                share = float(np.mean([covered(phi_of_runs(m), phi(pool)) for m in drawn]))
                yield "phi, row jackknife t", f"{where}, {runs} runs", share, "0.95"


def of_the_bootstrap(simulations, rng) -> Iterator[Line]:
    """Truth: the mean over data sets of the number itself."""
    labels = (
        "bootstrap phi, blocks",
        "bootstrap Jaccard, blocks",
        "bootstrap phi, infinitesimal jackknife",
        "bootstrap phi, jackknife after bootstrap",
        "bootstrap Jaccard, infinitesimal jackknife",
    )
    cases = [(n, lambda e=e: draw(e, 100, rng)[0], SIZE) for n, e in regimes(rng).items()]
    for size in (5, 10, 20):
        effect = few_strong(rng)
        cases.append((f"heavy, {size} edges", lambda e=effect: draw(e, 100, rng)[0], size))
    for size in (12, 16, 20):
        cases.append((f"planted:noise, {size} edges", lambda: planted_noise(100, rng), size))
    for name, sample, size in cases:
        for replicates in (100, 400):
            found = []
            for _ in range(simulations):
                scores = sample()
                r = bootstrap(100, replicates, rng=rng)
                axis, sets = bootstrap_axis(scores, r, size=size)
                blocks = with_block_interval(axis, scores, size=size, rng=rng)
                masks, whole = sets.compact
                after = phi_of_resamples(masks, r.counts, whole, method="jab")
                found.append((blocks.phi, blocks.jaccard, axis.phi, after, axis.jaccard))
            for i, label in enumerate(labels):
                truth = float(np.mean([row[i].value for row in found]))
                share = float(np.mean([covered(row[i], truth) for row in found]))
                yield label, f"{name}, B = {replicates}", share, "0.95" if i < 2 else ">= 0.95"
