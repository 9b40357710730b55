"""Plan, run and keep what an audit or a design asks of the model; no statistic."""

from circuitvar.audit.runs.bench import (
    Bench, drawn_prompts, evaluation_prompts, score_prompts, with_level_noise,
)
from circuitvar.audit.runs.budget import Budget, budget, cost_label
from circuitvar.audit.runs.derived import Derived, Sample, derived_runs, sample_of, selected
from circuitvar.audit.runs.design import Design, Effect, Facet, Level, RunKey, run_keys
from circuitvar.audit.runs.execute import execute, missing_runs
from circuitvar.audit.runs.facets import (
    DATA, FACETS, SAMPLE, SELECTION, check_facets, level_schema, pass_key, planned_runs, pools,
    settings_of,
)
from circuitvar.audit.runs.finder_runs import any_finder, finder_of
from circuitvar.audit.runs.measure import design_context, passes, score_named, score_run, with_code
from circuitvar.audit.runs.models import graph_of, source_of
from circuitvar.audit.runs.prompts import (
    data_hash, discovery_batch, fresh_batch, has_word_lists, heldout_batch, marks_roles,
    require_fresh, spread_over_templates,
)
from circuitvar.audit.runs.table import Run, Runs

__all__ = [
    "Bench", "Budget", "DATA", "Derived", "Design", "Effect", "FACETS", "Facet", "Level", "Run",
    "RunKey", "Runs", "SAMPLE", "SELECTION", "Sample", "any_finder", "budget", "check_facets",
    "cost_label", "data_hash", "derived_runs", "design_context", "discovery_batch",
    "drawn_prompts", "evaluation_prompts", "execute", "finder_of", "fresh_batch", "graph_of",
    "has_word_lists", "heldout_batch", "level_schema", "marks_roles", "missing_runs", "pass_key",
    "passes", "planned_runs", "pools", "require_fresh", "run_keys", "sample_of", "score_named",
    "score_prompts", "score_run", "selected", "settings_of", "source_of", "spread_over_templates",
    "with_code", "with_level_noise",
]
