"""Faithfulness, curves, null circuits and hypothesis tests of a circuit."""

from circuitvar.circuits.evaluate.against_random import (
    minimality_test, partial_necessity_test, sufficiency_test,
)
from circuitvar.circuits.evaluate.circuit_tests import TEST_FAMILIES, run_circuit_tests
from circuitvar.circuits.evaluate.compare import circuit_nodes, compare
from circuitvar.circuits.evaluate.crossed import Tail, crossed_tail
from circuitvar.circuits.evaluate.curves import curve_areas, faithfulness_curve
from circuitvar.circuits.evaluate.equivalence import count_wins, equivalence_test, tost, tost_p
from circuitvar.circuits.evaluate.evaluate import (
    complement, completeness, evaluate, evaluate_circuits, evaluate_masks, per_example, summarize,
)
from circuitvar.circuits.evaluate.hypothesis import share_interval
from circuitvar.circuits.evaluate.independence import independence_test
from circuitvar.circuits.evaluate.null_circuits import random_connected
from circuitvar.circuits.evaluate.optimal_ablation import evaluate_optimal

__all__ = [
    "TEST_FAMILIES", "Tail", "circuit_nodes", "compare", "complement", "completeness", "count_wins",
    "crossed_tail", "curve_areas", "equivalence_test", "evaluate", "evaluate_circuits",
    "evaluate_masks", "evaluate_optimal", "faithfulness_curve", "independence_test",
    "minimality_test", "partial_necessity_test", "per_example", "random_connected",
    "run_circuit_tests", "share_interval", "sufficiency_test", "summarize", "tost", "tost_p",
]
