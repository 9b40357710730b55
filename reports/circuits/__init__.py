"""`score`, `find`, `evaluate`, `test`, `published` from names to folders and page sections."""

from circuitvar.reports.circuits.run_evaluate import run_evaluate
from circuitvar.reports.circuits.run_find import refuse_unread, run_find
from circuitvar.reports.circuits.run_published import run_published
from circuitvar.reports.circuits.run_score import print_strongest, run_score
from circuitvar.reports.circuits.run_tests import run_tests

__all__ = [
    "print_strongest", "refuse_unread", "run_evaluate", "run_find", "run_published", "run_score",
    "run_tests",
]
