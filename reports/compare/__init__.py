"""Reports against reports, methods against methods, and the gates on them."""

from circuitvar.reports.compare.compare import compare_reports
from circuitvar.reports.compare.gate import Gate, Row, check_runs, judge_rows
from circuitvar.reports.compare.method_check import (
    Case, assert_method_ok, check_method, known_cases, leaderboard, planted_case, planted_cases,
    pocket_case,
)
from circuitvar.reports.compare.paired_scores import Side, scored_side

__all__ = [
    "Case", "Gate", "Row", "Side", "assert_method_ok", "check_method", "check_runs",
    "compare_reports", "judge_rows", "known_cases", "leaderboard", "planted_case", "planted_cases",
    "pocket_case", "scored_side",
]
