"""Coverage where little decides: few units, few runs, few edges; part of `validation.py`."""

from collections.abc import Iterator

import numpy as np
from validation_scores import Line, covered

from circuitvar.audit.agreement import Selected, halves_agreement, template_change, wording
from circuitvar.audit.indices import phi, phi_of_runs
from circuitvar.audit.intervals import stop_when_decided
from circuitvar.circuits.find import top_n_masks

EDGES = 60


def small(simulations, rng) -> Iterator[Line]:
    yield from tied_cuts(simulations, rng)
    yield from few_runs(simulations, rng)
    yield from rare_circuits(simulations, rng)
    yield from templates(simulations, rng)
    yield from watched(simulations, rng)
    yield from losses(simulations, rng)


def tied_cuts(simulations, rng) -> Iterator[Line]:
    """2p edges tied for p places, and edges of equal effect of which not all have a place."""
    cases = [("tied for 1", 3, 1), ("tied for 2", 5, 2), ("tied for 2", 10, 2)]
    for units in (8, 12, 16, 40):
        for name, size, tied in cases:
            effect = np.zeros(EDGES)
            effect[: size - tied], effect[size - tied : size + tied] = 3.0, 1.0
            yield _halves(effect, units, size, f"{size} edges, {name}", simulations, rng)
        effect = np.where(np.arange(EDGES) < 5, 0.8, 0.0)
        yield _halves(effect, units, 3, "3 of 5 equal edges", simulations, rng)


def _halves(effect, units, size, name, simulations, rng) -> Line:
    fresh = effect + rng.normal(size=(4000, units // 2, EDGES)).mean(axis=1)
    truth = phi(top_n_masks(fresh, size))
    hit = 0
    for _ in range(simulations):
        scores = effect + rng.normal(size=(units, EDGES))
        hit += covered(halves_agreement(scores, size=size, rng=rng, pairs=30).phi, truth)
    return "phi of halves, coverage", f"{units} units, {name}", hit / simulations, "0.95"


def few_runs(simulations, rng) -> Iterator[Line]:
    for runs in (3, 4, 5):
        for size, edges in ((3, 100), (5, 100), (10, 200)):
            for effect in (1.5, 2.5):
                scores = np.where(np.arange(edges) < size, effect, 0.0)
                pool = top_n_masks(scores + rng.normal(size=(4000, edges)), size)
                share = _runs(pool, runs, simulations, rng)
                where = f"{runs} runs, {size} edges, effect {effect}"
                yield "phi, row jackknife t", where, share, "0.95"


def rare_circuits(simulations, rng) -> Iterator[Line]:
    """Some runs find a wholly different circuit; or a rival of a part of it."""
    for runs in (5, 12, 20, 30, 50):
        for share in (0.1, 0.2, 0.3, 0.45):
            for size in (3, 10):
                other = np.arange(4000) < 4000 * share
                pool = np.zeros((4000, 100), dtype=bool)
                pool[~other, :size], pool[other, size : 2 * size] = True, True
                where = f"{runs} runs, {size} edges, a rival in {share:.0%}"
                yield "phi, row jackknife t", where, _runs(pool, runs, simulations, rng), "0.95"
        scores = np.where(np.arange(300) < 20, 3.0, 0.0) + rng.normal(size=(4000, 300))
        other = rng.random(4000) < 0.2
        scores[:, 20:30] += np.where(other, 0, 4)[:, None]
        scores[:, 30:40] += np.where(other, 4, 0)[:, None]
        share = _runs(top_n_masks(scores, 30), runs, simulations, rng)
        yield "phi, row jackknife t", f"{runs} runs, a third has a rival in 20%", share, "0.95"


def losses(simulations, rng) -> Iterator[Line]:
    """phi lost to wording; truth: its mean over data sets."""
    effect = 0.4 * rng.standard_t(3, size=150)
    for number, each, spread in ((12, 8, 0.0), (12, 8, 0.3), (12, 8, 0.5), (4, 24, 0.3)):
        label, found = np.repeat(np.arange(number), each), []
        names = tuple(map(str, label))
        for _ in range(simulations):
            shared = spread * rng.normal(size=(number, 150))[label]
            scores = effect + shared + rng.normal(size=(len(label), 150))
            found.append(wording(scores, names, size=15, rng=rng).lost)
        truth = float(np.mean([lost.value for lost in found]))
        share = float(np.mean([covered(lost, truth) for lost in found]))
        yield "phi lost to wording", f"{number} templates, loss {truth:.2f}", share, "0.95"


def _runs(pool, runs, simulations, rng) -> float:
    drawn = (pool[rng.choice(len(pool), runs, replace=False)] for _ in range(simulations))
    truth = phi(pool)
    return float(np.mean([covered(phi_of_runs(masks), truth) for masks in drawn]))


def templates(simulations, rng) -> Iterator[Line]:
    """One close call that two methods see with other margins."""
    for number in (3, 4, 6, 12):
        names, found = tuple(str(i) for i in range(number)), []
        for _ in range(simulations):
            base = np.where(np.arange(30) < 4, 9.0, 0.0) + 0.1 * rng.normal(size=(number, 30))
            sides = []
            for margin in (0.3, 0.5):
                scores = base.copy()
                scores[:, 4], scores[:, 5] = 5 + margin + rng.normal(size=number), 5
                sides.append(Selected(scores, 5))
            found.append(template_change(sides[0], sides[1], names)[0].difference)
        truth = float(np.mean([gap.value for gap in found]))
        share = float(np.mean([covered(gap, truth) for gap in found]))
        yield "difference of phi, the same templates", f"{number} templates", share, "0.95"


def watched(simulations, rng) -> Iterator[Line]:
    """Decisions of bounded values whose mean is at the bar."""
    for bar, low in ((0.75, 0.0), (0.9, 0.3), (0.95, 0.0), (0.98, 0.0)):
        decided = []
        for _ in range(simulations):
            values = np.where(rng.random(200) < (bar - low) / (1 - low), 1.0, low)
            found = stop_when_decided(values, bar=bar, budget=200, bounds=(-0.1, 1.0))
            decided.append(found.low > bar or found.high < bar)
        where = f"values 1 or {low:g}, bar {bar:g}"
        yield "stops with a decision, bounded", where, float(np.mean(decided)), "<= 0.05"
