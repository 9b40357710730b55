"""Crossed perturbation designs: plans, and what the variance of their runs says."""

from circuitvar.audit.design.design_agreement import design_agreement
from circuitvar.audit.design.design_file import (
    PRESETS, for_task, read_design, resampled, write_design,
)
from circuitvar.audit.design.design_function import design_function
from circuitvar.audit.design.design_summary import design_components, require_answers, sobol_table
from circuitvar.audit.design.plan_checks import check_levels, check_on_model, check_runs
from circuitvar.audit.design.run_design import run_on_model

__all__ = [
    "PRESETS", "check_levels", "check_on_model", "check_runs", "design_agreement",
    "design_components", "design_function", "for_task", "read_design", "require_answers",
    "resampled", "run_on_model", "sobol_table", "write_design",
]
