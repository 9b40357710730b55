"""The tests a circuit must pass, run on a model: five tests of Shi et al. 2024 and TOST.

Equivalence, independence, minimality, sufficiency and partial necessity (arXiv 2410.13032), each
re-implemented from its definition in a file of its own. This file only runs circuits.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from circuitvar.circuits.confidence import check_alpha
from circuitvar.circuits.evaluate.against_random import (
    minimality_test,
    partial_necessity_test,
    squared_error,
    sufficiency_test,
)
from circuitvar.circuits.evaluate.equivalence import equivalence_test, tost
from circuitvar.circuits.evaluate.hypothesis import HypothesisTest
from circuitvar.circuits.evaluate.independence import independence_test
from circuitvar.circuits.evaluate.null_circuits import (
    NULL_FAMILIES,
    Mask,
    Masks,
    fits_outside,
    null_circuits,
    outside_circuits,
    random_path,
)
from circuitvar.circuits.evaluate.null_model import random_weight_effects, relative_effects
from circuitvar.circuits.graph import Graph
from circuitvar.circuits.model import Model
from circuitvar.circuits.run import circuit_scores
from circuitvar.circuits.types import Circuit, CircuitTestChoice
from circuitvar.tasks.lookup import unknown
from circuitvar.tasks.types import Batch, Metric

RANDOM_WEIGHTS = "random-weights"
"""Null family whose draws are models with shuffled weights, not circuits."""
TEST_FAMILIES = (*NULL_FAMILIES, RANDOM_WEIGHTS)
COLUMNS = (
    *("name", "null", "statistic", "low", "high", "p", "rejected", "power"),
    *("alternative", "n", "note", "reading"),
)
"""What the table of results says of a test."""


@dataclass(frozen=True, eq=False)
class CircuitTests:
    """Results of all tests on one circuit."""

    tests: tuple[HypothesisTest, ...]
    """equivalence, TOST, independence, sufficiency, partial necessity."""
    minimality: pd.DataFrame
    """One row per edge tested; see `minimality_test`."""
    family: str
    """Null family of the random circuits."""
    size: int
    """Edges of the circuit and of each random circuit."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row per test, minimality summarised by its smallest adjusted p."""
        rows = [{column: getattr(test, column) for column in COLUMNS} for test in self.tests]
        edges = len(self.minimality)
        redundant = int(self.minimality["redundant"].to_numpy().sum())
        power = float(self.minimality["power"].to_numpy().min())
        rows.append(
            {
                "name": "minimality",
                "null": "every edge matters more than most random added edges",
                "statistic": redundant / edges,
                "p": float(self.minimality["p_holm"].to_numpy().min()),
                "rejected": redundant > 0,
                "power": power,
                "alternative": "an edge that beats half of the random edges",
                "n": edges,
                "note": "Holm over edges; compared with random edges added by random paths",
                "reading": f"minimality: {redundant} of {edges} edges redundant (Holm; power "
                f"{power:.2f} per edge against a true share of 0.5).",
            }
        )
        return pd.DataFrame(rows).rename(columns={"name": "test"})


def run_circuit_tests(
    model: Model,
    circuit: Circuit,
    batch: Batch,
    *,
    metric: Metric | str,
    rng: np.random.Generator,
    choice: CircuitTestChoice = CircuitTestChoice(),
) -> CircuitTests:
    """Run every test of one circuit on held-out prompts.

    The random circuits of `choice` have the size of the circuit (see `null_circuits`);
    `random-weights` runs the circuit itself on models with shuffled weights instead. Knock-outs
    are compared with those of random circuits from outside the circuit, or from the whole model,
    which is also taken when the circuit has more than half of all edges. Independent random
    streams are spawned per test, so leaving one out changes no other.

    Raises
    ------
    ValueError
        If the circuit is empty or is the whole graph, a name is unknown, or `alpha` is no error
        rate.
    """
    check_alpha(choice.alpha)
    kept = np.asarray(circuit.kept, dtype=bool)
    if not kept.any() or kept.all():
        raise ValueError("an empty circuit or the whole graph cannot be tested; select some edges")
    family, draws, alpha = choice.family, choice.draws, choice.alpha
    if family not in TEST_FAMILIES:
        raise unknown("null family", family, TEST_FAMILIES)
    if choice.reference not in ("outside", "model"):
        raise ValueError(f"reference must be 'outside' or 'model', got {choice.reference!r}")
    measured: dict[str, Any] = {"metric": metric, "ablation": choice.ablation}
    for_null, for_hsic, for_edges = rng.spawn(3)
    alone, removed, inflated, reduced = _minimality_masks(
        model.graph, kept, draws, choice.max_edges, for_edges
    )
    blocks = (np.stack([kept, ~kept]), alone, inflated, reduced)
    scores, full = circuit_scores(model, np.concatenate(blocks), batch, **measured)
    ends = np.cumsum([len(block) for block in blocks])[:-1]
    own, without, bigger, smaller = np.split(scores, ends)
    inside, outside = own
    if family == RANDOM_WEIGHTS:
        null = random_weight_effects(model, kept, batch, draws, rng=for_null, **measured)
        near, far = relative_effects(model, kept, batch, **measured)
        null_near, null_far = null.T
        notes = ("its effect, relative to the empty circuit, on models with shuffled weights",) * 2
    else:
        others, knocked = _random_masks(model.graph, kept, choice, for_null)
        rows, _ = circuit_scores(model, np.concatenate([others, ~knocked]), batch, **measured)
        null_near, null_far = np.split(squared_error(rows, full), 2)
        near, far = (float(squared_error(row, full)) for row in own)
        drawn = f"random circuits of {circuit.size} edges ({family})"
        where = "of the whole model" if knocked is others else "outside the circuit"
        notes = (f"{drawn} of the whole model", f"{drawn} {where}")
    beaten = {"quantile": choice.quantile, "alpha": alpha}
    margin = {"epsilon": choice.epsilon, "alpha": alpha}
    tests = (
        equivalence_test(inside, full, **margin),
        tost(inside, full, **margin),
        independence_test(
            outside, full, rng=for_hsic, permutations=choice.permutations, alpha=alpha
        ),
        _noted(sufficiency_test(near, null_near, **beaten), notes[0]),
        _noted(partial_necessity_test(far, null_far, **beaten), notes[1]),
    )
    minimality = minimality_test(
        squared_error(without, inside),
        ((smaller - bigger) ** 2).mean(axis=1),
        names=tuple(model.graph.edge_names[i] for i in removed),
        **beaten,
    )
    return CircuitTests(tests, minimality, family, int(kept.sum()))


def _noted(test: HypothesisTest, compared_with: str) -> HypothesisTest:
    return replace(test, note=f"{test.note}; against {compared_with}")


def _random_masks(
    graph: Graph, kept: Mask, choice: CircuitTestChoice, rng: np.random.Generator
) -> tuple[Masks, Masks]:
    """Random circuits to run (sufficiency) and to knock out (partial necessity)."""
    for_run, for_knock_out = rng.spawn(2)
    family, draws = choice.family, choice.draws
    others = null_circuits(graph, kept, draws, family=family, rng=for_run)
    if choice.reference == "model" or not fits_outside(kept):
        return others, others
    return others, outside_circuits(graph, kept, draws, family=family, rng=for_knock_out)


def _minimality_masks(
    graph: Graph, kept: Mask, draws: int, max_edges: int, rng: np.random.Generator
) -> tuple[Bool[np.ndarray, "removed edge"], Int[np.ndarray, " removed"], Masks, Masks]:
    """The circuit less one edge; the circuit plus a random path, with and without one new edge."""
    removed = np.flatnonzero(kept)
    if len(removed) > max_edges:
        removed = np.sort(rng.choice(removed, max_edges, replace=False))
    alone = np.tile(kept, (len(removed), 1))
    alone[np.arange(len(removed)), removed] = False
    inflated, reduced = (np.tile(kept, (draws, 1)) for _ in range(2))
    for draw in range(draws):
        new: list[int] = []
        while not new:  # some edge is outside, and every edge lies on some path
            new = [column for column in random_path(graph, rng=rng) if not kept[column]]
        inflated[draw, new] = reduced[draw, new] = True
        reduced[draw, rng.choice(new)] = False
    return alone, removed, inflated, reduced
