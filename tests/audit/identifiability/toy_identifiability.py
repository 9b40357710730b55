"""Small nets with known counts."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from circuitvar.audit.identifiability.nets.boolean_net import BooleanNet, make_net

GOLDEN = json.loads(
    (Path(__file__).parents[2] / "golden" / "identifiability.json").read_text(encoding="utf-8")
)


def golden_net(name: str) -> BooleanNet:
    layers = GOLDEN["nets"][name]["weights"]
    w, b = (
        [np.asarray(layers[f"{kind}{i + 1}"], dtype=np.float32) for i in range(len(layers) // 2)]
        for kind in "Wb"
    )
    return make_net(w, b)


def random_net(widths: tuple[int, ...], seed: int) -> BooleanNet:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(b, a)) for a, b in pairwise(widths)]
    return make_net(weights, [rng.normal(size=b) * 0.5 for b in widths[1:]])


def redundant_net(routes: int) -> BooleanNet:
    """One input copied by `routes` hidden nodes, each of which suffices: 2^routes - 1 circuits
    put the output above 0.5 exactly when the input is 1."""
    return make_net([np.ones((routes, 1)), np.ones((1, routes))], [np.zeros(routes), np.zeros(1)])
