"""Crossed perturbation designs: facets, plans, runs, and what their variance says."""

from circuitvar.audit.design.budget import Budget, budget, cost_label
from circuitvar.audit.design.derived_runs import sample_of
from circuitvar.audit.design.design import Design, Effect, RunKey
from circuitvar.audit.design.design_agreement import design_agreement
from circuitvar.audit.design.design_file import (
    PRESETS, for_task, read_design, resampled, write_design,
)
from circuitvar.audit.design.design_function import design_function
from circuitvar.audit.design.design_summary import design_components, require_answers, sobol_table
from circuitvar.audit.design.facets import check_facets, planned_runs, settings_of
from circuitvar.audit.design.finder_runs import finder_of
from circuitvar.audit.design.plan_checks import check_levels, check_on_model, check_runs
from circuitvar.audit.design.run_design import run_on_model

__all__ = [
    "Budget", "Design", "Effect", "PRESETS", "RunKey", "budget", "check_facets", "check_levels",
    "check_on_model", "check_runs", "cost_label", "design_agreement", "design_components",
    "design_function", "finder_of", "for_task", "planned_runs", "read_design", "require_answers",
    "resampled", "run_on_model", "sample_of", "settings_of", "sobol_table", "write_design",
]
