"""`score`, `find`, `evaluate`, `test`, `published` from names to folders and page sections."""

from circuitvar.reports.circuits.run_evaluate import ALL_ABLATIONS, EvaluateOptions, run_evaluate
from circuitvar.reports.circuits.run_find import FindOptions, run_find
from circuitvar.reports.circuits.run_published import run_published
from circuitvar.reports.circuits.run_score import print_strongest, run_score
from circuitvar.reports.circuits.run_tests import CircuitTestOptions, run_tests

__all__ = [
    "ALL_ABLATIONS", "CircuitTestOptions", "EvaluateOptions", "FindOptions", "print_strongest",
    "run_evaluate", "run_find", "run_published", "run_score", "run_tests",
]
