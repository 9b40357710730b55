"""Reports against reports, methods against methods, and the gates on them."""

from circuitvar.reports.compare.check import check_runs
from circuitvar.reports.compare.compare import compare_reports
from circuitvar.reports.compare.gate import Row, judge_rows
from circuitvar.reports.compare.method_check import check_method, leaderboard, planted_cases
from circuitvar.reports.compare.paired_scores import Side, scored_side

__all__ = [
    "Row", "Side", "check_method", "check_runs", "compare_reports", "judge_rows", "leaderboard",
    "planted_cases", "scored_side",
]
