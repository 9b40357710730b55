"""Ranks of runs follow the order in which their circuits are selected."""

import numpy as np
import pytest

from circuitvar.audit.settings import Settings
from circuitvar.audit.single.axis_agreement import agreement_table
from circuitvar.circuits.graph import Graph

GRAPH = Graph(n_layers=1, n_heads=1)


def table(first, second, *, signed):
    """Two runs whose first edges have these scores, the others none."""
    scores = np.zeros((2, GRAPH.n_edges))
    scores[:, : len(first)] = first, second
    settings = Settings(signed=signed)
    return agreement_table(GRAPH, {"method": scores}, settings, size=3).iloc[0]


def test_edges_that_hurt_do_not_count_where_circuits_are_signed():
    first, second = [3, 2, 1, -9, -0.1, -0.2], [3, 2, 1, -0.1, -0.2, -9]
    signed = table(first, second, signed=True)
    assert signed["rbo"] == pytest.approx(1)
    assert signed["spearman"] > 0.8
    unsigned = table(first, second, signed=False)
    assert unsigned["rbo"] < 0.6


def test_scores_without_a_sign_rank_alike_either_way():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, GRAPH.n_edges)) + 0.1
    both = [table(first, second, signed=signed) for signed in (True, False)]
    for name in ("spearman", "rbo", "weighted_tau", "size_matched_jaccard"):
        assert both[0][name] == pytest.approx(both[1][name], nan_ok=True), name
