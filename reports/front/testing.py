"""Regression tests of attribution methods on models whose circuit and effects are known.

`pytest_plugins = ["circuitvar.reports.compare.pytest_plugin"]` in `conftest.py` gives the fixtures
`circuitvar_cases` and `circuitvar_assert_method_ok`.
"""

from circuitvar.reports.compare import (
    Case, Gate, Row, assert_method_ok, check_method, judge_rows, known_cases, leaderboard,
    planted_case, planted_cases, pocket_case,
)

__all__ = [
    "Case", "Gate", "Row", "assert_method_ok", "check_method", "judge_rows", "known_cases",
    "leaderboard", "planted_case", "planted_cases", "pocket_case",
]
