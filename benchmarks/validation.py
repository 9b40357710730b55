"""Coverage of every interval and size of every test, on planted scores with known truth.

    python benchmarks/validation.py [--simulations 400] [--only halves]

Each line: what, setting, estimate, nominal. The Monte-Carlo SE of a coverage near .95 is about
.011 at 400 simulations. The tests of circuits are in `validation_tests.py`.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
import validation_agreement as agreement
import validation_components as components
import validation_edges as edges
import validation_forecasts as forecasts
import validation_small as small
from validation_scores import Line

PARTS: tuple[tuple[str, Callable[..., Iterator[Line]]], ...] = (
    ("runs", agreement.independent_runs),
    ("halves", agreement.halves),
    ("tied", agreement.tied),
    ("close", agreement.close_calls),
    ("bootstrap", agreement.of_the_bootstrap),
    ("components", components.components),
    ("shares", components.shares),
    ("ratios", components.ratios),
    ("agreement", components.agreement),
    ("differences", components.differences),
    ("forecasts", forecasts.forecasts),
    ("edges", edges.edges),
    ("overlaps", edges.overlaps),
    ("nulls", edges.nulls),
    ("decisions", edges.decisions),
    ("selection", edges.low_probability_edges),
    ("small", small.small),
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
                print(f"{what:<48}{setting:<36}{value:>8.3f}   {nominal}", flush=True)


if __name__ == "__main__":
    main()
