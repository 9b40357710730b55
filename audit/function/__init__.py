"""What circuits do when they are run, and whether different ones do the same."""

from circuitvar.audit.function.beats_random import NULL, random_faithfulness
from circuitvar.audit.function.function_condition import Condition, PROMPTS, run_under
from circuitvar.audit.function.function_estimates import behaviour_estimates, function_estimates
from circuitvar.audit.function.function_matrix import (
    Found, FunctionMatrix, NULLS, function_matrix, function_row,
)
from circuitvar.audit.function.transfer import KEPT, Transfer, template_transfer

__all__ = [
    "Condition", "Found", "FunctionMatrix", "KEPT", "NULL", "NULLS", "PROMPTS", "Transfer",
    "behaviour_estimates", "function_estimates", "function_matrix", "function_row",
    "random_faithfulness", "run_under", "template_transfer",
]
