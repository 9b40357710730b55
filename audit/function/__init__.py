"""What circuits do when they are run, and whether different ones do the same."""

from circuitvar.audit.function.beats_random import NULL, random_faithfulness
from circuitvar.audit.function.condition import Condition, PROMPTS, run_under
from circuitvar.audit.function.estimates import behaviour_estimates, function_estimates
from circuitvar.audit.function.matrix import (
    Found, FunctionMatrix, KEPT_ACROSS_TEMPLATES, NULLS, function_matrix, function_row,
    template_matrix,
)

__all__ = [
    "Condition", "Found", "FunctionMatrix", "KEPT_ACROSS_TEMPLATES", "NULL", "NULLS", "PROMPTS",
    "behaviour_estimates", "function_estimates", "function_matrix", "function_row",
    "random_faithfulness", "run_under", "template_matrix",
]
