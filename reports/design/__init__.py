"""`design` from names to a folder."""

from circuitvar.reports.design.run_design import (
    TITLES, check_plan, interactions, plan_budget, resolve_design, run_plan,
)

__all__ = ["TITLES", "check_plan", "interactions", "plan_budget", "resolve_design", "run_plan"]
