"""How far forecasts of phi are from the truth, and how often within their stated error."""

from collections.abc import Iterator

import numpy as np
from validation_scores import EDGES, SIZE, Line, circuits, draw, regimes

from circuitvar.audit.edges import edge_summary, forecast
from circuitvar.audit.indices import phi
from circuitvar.circuits.find import top_n_masks

AHEAD = (0.5, 2, 8)


def cases(rng) -> Iterator[tuple[str, np.ndarray, int, dict]]:
    """(name, effects, units of the data, options of `draw`)."""
    for name, effect in regimes(rng).items():
        yield f"{name}, 200 prompts", effect, 200, {}
        yield f"{name}, 60 prompts", effect, 60, {}
        yield f"{name}, 24 templates", effect, 24, {"templates": 24}
    yield "heavy, 200 prompts, shared noise", regimes(rng)["heavy"], 200, {"shared": 1.0}


def forecasts(simulations, rng) -> Iterator[Line]:
    for name, effect, units, options in cases(rng):
        each = 6 if "templates" in options else 1
        truth = np.array([true_phi(effect, round(units * f), each, rng, options) for f in AHEAD])
        error, inside = [], []
        for _ in range(simulations):
            scores, label = draw(effect, units * each, rng, **options)
            found = forecast(
                edge_summary(scores, clusters=label),
                size=SIZE,
                units=[round(units * f) for f in AHEAD],
                rng=rng,
                draws=8,
            )
            gap = np.abs(found["phi"].to_numpy() - truth)
            error.append(gap)
            inside.append(gap <= found["error"].to_numpy())
        for i, factor in enumerate(AHEAD):
            at = f"{name}, x {factor:g}"
            yield "forecast of phi, mean error", at, float(np.mean(error, axis=0)[i]), "-"
            within = float(np.mean(inside, axis=0)[i])
            yield "forecast of phi within stated error", at, within, ">= 0.93"


def true_phi(effect, units, each, rng, options, runs=200) -> float:
    """phi of fresh data sets of `units` prompts or templates."""
    if "shared" in options:
        return phi(circuits(effect, units, runs, rng, **options))
    one = 0.5**2 + 1 / each if "templates" in options else 1.0
    means = effect + np.sqrt(one / units) * rng.normal(size=(runs, EDGES))
    return phi(top_n_masks(means, SIZE))
