"""Size and power of the tests of circuits, simulated: each line is what, setting, rate, nominal.

    python benchmarks/validation_tests.py [--simulations 400]

The Monte-Carlo SE of a rate near .05 is about .011 at 400 simulations.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from circuitvar.circuits.evaluate import (
    equivalence_test,
    independence_test,
    minimality_test,
    partial_necessity_test,
    share_interval,
    sufficiency_test,
    tost,
)

Line = tuple[str, str, float, str]


def scores_with_share(share: float, n: int, rng: np.random.Generator):
    """Scores of circuit and model with P(circuit higher) = share."""
    full = rng.normal(size=n)
    return full + np.where(rng.random(n) < share, 1.0, -1.0) * rng.random(n), full


def rate(run: Callable[[], bool], simulations: int) -> float:
    return float(np.mean([run() for _ in range(simulations)]))


def equivalence(simulations: int, rng: np.random.Generator) -> Iterator[Line]:
    nominal = {0.5: "<= .05", 0.6: ".05 +- .02", 0.65: ".42", 0.7: ".90", 0.75: ".998"}
    for share, expected in nominal.items():
        value = rate(
            lambda s=share: equivalence_test(*scores_with_share(s, 200, rng)).rejected, simulations
        )
        yield "equivalence rejected", f"n=200, P={share}", value, expected
    for share, expected in {0.5: ".77", 0.6: "<= .05", 0.4: "<= .05"}.items():
        value = rate(lambda s=share: tost(*scores_with_share(s, 200, rng)).rejected, simulations)
        yield "TOST rejected", f"n=200, P={share}", value, expected


def independence(simulations: int, rng: np.random.Generator) -> Iterator[Line]:
    for correlation, expected in {0.0: ".05 +- .02", 0.3: "power", 0.6: "power"}.items():
        powers = []

        def run(r: float = correlation, seen: list = powers) -> bool:
            x, noise = rng.normal(size=(2, 100))
            y = r * x + np.sqrt(1 - r * r) * noise
            result = independence_test(
                x, y, rng=rng, permutations=199, alternative=max(r, 0.01), power_draws=20
            )
            seen.append(result.power)
            return result.rejected

        value = rate(run, simulations)
        said = f"{expected}; power it states {np.mean(powers):.3f}"
        yield "independence rejected", f"n=100, r={correlation}", value, said


def against_random(simulations: int, rng: np.random.Generator) -> Iterator[Line]:
    for share, expected in {0.9: "<= .05", 0.99: "power"}.items():
        for name, test, side in (
            ("sufficiency", sufficiency_test, 1.0),
            ("partial necessity", partial_necessity_test, -1.0),
        ):
            value = rate(
                lambda s=share, t=test, d=side: (
                    t(0.0, d * np.where(rng.random(100) < s, 1.0, -1.0)).rejected
                ),
                simulations,
            )
            yield f"{name} rejected", f"100 draws, true share {share}", value, expected


def minimality(simulations: int, rng: np.random.Generator) -> Iterator[Line]:
    for edges in (10, 100):
        value = rate(
            lambda m=edges: bool(
                minimality_test(np.full(m, 0.9), rng.random((m, 100)))["redundant"].any()
            ),
            simulations,
        )
        yield "minimality, any false rejection", f"{edges} edges at the boundary", value, "<= .05"
    found = [
        minimality_test(np.r_[np.full(40, 2.0), 0.5], rng.random(100))["redundant"].to_numpy()[-1]
        for _ in range(simulations)
    ]
    yield "minimality, redundant edge found", "41 edges, share .5", float(np.mean(found)), "power"


def intervals(simulations: int, rng: np.random.Generator) -> Iterator[Line]:
    for share, n in ((0.5, 50), (0.95, 100)):

        def covered(p: float = share, size: int = n) -> bool:
            low, high = share_interval(int(rng.binomial(size, p)), size)
            return low <= p <= high

        yield "share interval covers", f"n={n}, p={share}", rate(covered, simulations), ">= .95"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=400)
    simulations = parser.parse_args().simulations
    streams = np.random.default_rng(0).spawn(5)
    for check, rng in zip(
        (equivalence, independence, against_random, minimality, intervals), streams, strict=True
    ):
        for what, setting, value, nominal in check(simulations, rng):
            print(f"{what:34} {setting:32} {value:.3f}   (nominal {nominal})")


if __name__ == "__main__":
    main()
